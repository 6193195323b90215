"""Units whose state is known by construction."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.layers.activity import layer_activity


def test_units_that_never_fire_are_counted_as_dead() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1, bias=True), nn.ReLU())
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.copy_(torch.tensor([0.0, -10.0, -10.0, -10.0]))  # inputs of at most 1 never lift the last three
    (relu,) = layer_activity(net, torch.rand(5, 1, 3, 3))
    assert (relu.name, relu.kind, relu.dead_share, relu.saturated_share) == ("1", "ReLU", 0.75, 0.0)


def test_a_unit_that_fires_once_is_alive() -> None:
    inputs = torch.full((2, 1, 2, 2), -1.0)
    inputs[1, 0, 1, 1] = 0.5
    assert layer_activity(nn.Sequential(nn.ReLU()), inputs)[0].dead_share == 0


@pytest.mark.parametrize(("activation", "large"), [(nn.Tanh(), 5.0), (nn.Sigmoid(), 10.0)])
def test_outputs_at_the_flat_ends_are_counted_as_saturated(activation: nn.Module, large: float) -> None:
    inputs = torch.tensor([[large, -large, 0.1, 0.0]])
    assert layer_activity(nn.Sequential(activation), inputs)[0].saturated_share == 0.5


def test_mean_and_spread_are_those_of_the_outputs_and_the_network_stays_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.LeakyReLU(0.01)).train()
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.zero_()
    (row,) = layer_activity(net, torch.tensor([[1.0], [-1.0]]))
    assert row.mean == pytest.approx((1 - 0.01) / 2)
    assert row.std == pytest.approx(1.01 / 2**0.5)
    assert row.dead_share == 0
    assert net.training
    assert not net[1]._forward_hooks
