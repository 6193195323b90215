"""The first number that is not finite, on a device that cannot be asked in between."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.training.finite import FirstBad, bad_weight, what_to_try


def test_the_first_of_the_bad_ones_is_remembered_by_its_number() -> None:
    first = FirstBad()
    assert first.least() is None
    first.note(torch.tensor(0.5), 3)
    assert first.least() is None
    first.note(torch.tensor(float("nan")), 7)
    first.note(torch.tensor(float("inf")), 9)
    assert first.least() == 7
    first.note(torch.tensor([1.0, float("-inf"), float("nan")]), torch.tensor([0, 5, 6]))
    assert first.least() == 5
    first.reset()
    assert first.least() is None


def test_noting_reads_nothing_from_the_device() -> None:
    """A meta tensor has no values to be read, as those of a GPU that is still computing."""
    first = FirstBad()
    for step in range(3):
        first.note(torch.empty((), device="meta"), step)
        first.note(torch.empty(2, device="meta"), torch.empty(2, device="meta", dtype=torch.long))
    with pytest.raises(RuntimeError, match="meta"):
        first.least()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(value: float) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    assert bad_weight(net) is None
    with torch.no_grad():
        net[2].weight[0, 1] = value
    assert bad_weight(net) == "2.weight"


def test_large_weights_are_finite_and_a_buffer_may_be_infinite_but_no_nan() -> None:
    net = nn.BatchNorm1d(2)
    with torch.no_grad():
        net.weight.fill_(3e38)
    net.register_buffer("mask", torch.tensor([float("-inf"), 0.0]))
    assert bad_weight(net) is None
    net.running_var = torch.tensor([1.0, float("nan")])
    assert bad_weight(net) == "running_var"


def test_what_is_done_already_is_not_advised_again() -> None:
    line = what_to_try(lr=0.5, warmup=0.0, gradient_clip_val=None, precision="16-mixed")
    for words in ("(now 0.5)", "warmup 0.05", "gradient_clip_val 1", "bf16-mixed or 32-true in place of 16-mixed"):
        assert words in line
    line = what_to_try(lr=0.5, warmup=0.1, gradient_clip_val=1.0, precision="32-true")
    assert line == "try a lower --model.optimization.lr (now 0.5)"
