"""Gradient checkpointing: the same gradients and running averages, and each stage computed twice."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hub_models import CLASSIFIERS, ENCODERS, VIDEO, saved
from torch import Tensor

from vidcls.layers import Backbone, build_backbone, build_backbone_3d


def _step(backbone: Backbone, x: Tensor) -> tuple[dict[str, Tensor], int]:
    """Gradients and running averages after one step, and how often a stage was computed."""
    calls: list[int] = []
    for stage in backbone.stages.values():
        stage.register_forward_pre_hook(lambda _m, _i: calls.append(1))
    torch.manual_seed(0)  # for dropout
    backbone(x).square().sum().backward()
    found = {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}
    return found | dict(backbone.named_buffers()), len(calls)


@pytest.mark.parametrize("name", ["resnet20", "efficientnet_lite0", "small_3d"])
def test_gradients_and_running_averages_are_the_same_with_and_without(name: str) -> None:
    torch.manual_seed(0)
    is_2d = not name.endswith("3d")
    plain = (build_backbone if is_2d else build_backbone_3d)(name).train()
    x = torch.randn(2, 3, 32, 32) if is_2d else torch.randn(2, 3, 4, 32, 32)
    saving = deepcopy(plain)
    saving.recomputes = True
    expected, num_calls = _step(plain, x)
    found, num_calls_saving = _step(saving, x)
    assert num_calls_saving == 2 * num_calls == 2 * len(plain.stages)
    assert len(found) == len(expected)
    assert all(torch.allclose(found[key], value, atol=1e-6) for key, value in expected.items())
    saving.eval()
    with torch.no_grad():
        assert torch.equal(saving(x), plain.eval()(x))


@pytest.mark.parametrize("family", [*CLASSIFIERS, "dinov3"])
def test_every_weight_of_an_encoder_of_transformers_is_trained_and_the_same_way(family: str, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / family, (CLASSIFIERS | ENCODERS)[family] if family == "dinov3" else CLASSIFIERS[family])
    build = build_backbone_3d if family in VIDEO else build_backbone
    plain = build(name, weights="DEFAULT").train()
    x = torch.randn(2, 3, *((4,) if family in VIDEO else ()), 32, 32)
    saving = deepcopy(plain)
    saving.recomputes = True
    expected, _ = _step(plain, x)
    found, num_calls = _step(saving, x)
    assert num_calls == 2 * len(plain.stages)
    without = [key for key, p in plain.named_parameters() if p.requires_grad and p.grad is None]
    assert not without
    assert all(torch.allclose(found[key], value, rtol=1e-4, atol=1e-5) for key, value in expected.items())
