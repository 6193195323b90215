"""Flow that is estimated in PyTorch, on a GPU that is not there: all of it lies on the GPU."""

from __future__ import annotations

import pytest
import torch
from fake_cuda import CUDA, fake_gpu, on_gpu
from torchvision.models import optical_flow

from vidcls.flow import FlowSettings, raft_estimator, tvl1
from vidcls.flow.estimators import estimate_pairs


@pytest.mark.parametrize("num_pairs", [1, 3])
def test_tvl1_of_pairs_stays_on_the_gpu(num_pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tvl1, "compiled_step", lambda: tvl1.primal_dual_step)  # compiling needs a real GPU
    monkeypatch.setattr(tvl1, "stands_still", lambda moving: True)  # the only look at values: when to stop
    with fake_gpu():
        pairs = torch.empty(2, num_pairs, 3, 40, 48, dtype=torch.uint8, device=CUDA)
        flow = estimate_pairs(*pairs.unbind(0), FlowSettings(method="tvl1"))
    assert (flow.device, flow.shape, flow.dtype) == (CUDA, (num_pairs, 2, 40, 48), torch.float32)


def test_raft_of_pairs_stays_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    network = optical_flow.raft_small(weights=None).eval()
    with fake_gpu() as fake, torch.backends.cudnn.flags(enabled=False):  # cuDNN's sampler has no fake form
        on_gpu(network, fake)
        monkeypatch.setattr(network, "to", lambda device: network)  # it is there
        monkeypatch.setattr(raft_estimator, "load_raft", lambda weights: network)
        pairs = torch.empty(2, 2, 3, 40, 48, dtype=torch.uint8, device=CUDA)
        flow = estimate_pairs(*pairs.unbind(0), FlowSettings(method="raft"))
    assert (flow.device, flow.shape, flow.dtype) == (CUDA, (2, 2, 40, 48), torch.float32)
