"""The rehearsal itself: planted faults are found, and what a GPU does without waiting is let pass."""

from __future__ import annotations

import pytest
import torch
from fake_cuda import CUDA, SynchronisationError, devices_of, fake_gpu, mixed_precision, on_gpu, without_synchronisation
from torch import Tensor, nn


class Planted(nn.Module):
    """A linear layer with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.layer = nn.Linear(3, 3)
        self.left_behind = torch.ones(3)  # neither parameter nor buffer

    def forward(self, x: Tensor) -> Tensor:
        if self.fault == "tensor left behind":
            return self.layer(x) + self.left_behind
        if self.fault == "tensor made on the CPU":
            return self.layer(x) + torch.ones(3)
        if self.fault == "item":
            return self.layer(x) * x.sum().item()
        if self.fault == "branch":
            return self.layer(x) if x.sum() > 0 else x
        if self.fault == "nonzero":
            return self.layer(x)[x[:, 0] > 0]
        if self.fault == "copied constant":
            return self.layer(x) * torch.tensor([1.0, 2.0, 3.0], device=x.device)
        if self.fault == "index list":
            return self.layer(x)[[1, 0]]
        if self.fault == "read back":
            return self.layer(x).cpu()
        return torch.full((3,), 2.0, device=x.device) * self.layer(x)


def run(fault: str) -> Tensor:
    module = Planted(fault)
    with fake_gpu() as mode:
        on_gpu(module, mode)
        x = torch.empty(2, 3, device=CUDA)
        with without_synchronisation():
            return module(x)


@pytest.mark.parametrize("fault", ["tensor left behind", "tensor made on the CPU"])
def test_tensors_of_two_devices_in_one_operation_are_found(fault: str) -> None:
    with pytest.raises((RuntimeError, AssertionError), match=r"(?i)device|fake"):
        run(fault)


@pytest.mark.parametrize("fault", ["item", "branch", "nonzero", "copied constant", "index list", "read back"])
def test_a_synchronisation_is_found(fault: str) -> None:
    with pytest.raises(SynchronisationError):
        run(fault)


def test_what_does_not_wait_passes() -> None:
    assert devices_of(run("none")) == {"cuda"}


def test_mixed_precision_is_on_and_then_off_again() -> None:
    layer = nn.Linear(3, 3)
    with fake_gpu() as mode:
        on_gpu(layer, mode)
        x = torch.empty(2, 3, device=CUDA)
        with mixed_precision():
            assert layer(x).dtype == torch.bfloat16
        assert layer(x).dtype == torch.float32
