"""Read-outs: maps -> vectors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.errors import ConfigurationError
from vidcls.layers.read_outs import FlattenMaps, GlobalAverage, OverTime, PerTower


def test_the_global_average_is_over_places_and_time() -> None:
    maps = torch.arange(8.0).view(1, 2, 2, 2)
    assert GlobalAverage()(maps).tolist() == [[1.5, 5.5]]
    assert GlobalAverage()(torch.stack([maps, maps + 2], dim=2)).tolist() == [[2.5, 6.5]]


def test_maps_of_another_size_are_refused_with_the_setting_to_change() -> None:
    flatten = FlattenMaps((2, 3, 3), expects="this net takes 48x48")
    assert flatten(torch.zeros(4, 2, 3, 3)).shape == (4, 18)
    with pytest.raises(ConfigurationError, match=r"takes 48x48: .*\(2, 4, 3\).*set transform\.crop_px") as error:
        flatten(torch.zeros(4, 2, 4, 3))
    assert "\n" not in str(error.value)


def test_each_tower_has_its_place_in_the_vector() -> None:
    towers = torch.cat([torch.full((1, 2, 2, 2), 1.0), torch.full((1, 2, 2, 2), 5.0)], dim=1)
    assert PerTower(GlobalAverage(), 2)(towers).tolist() == [[1, 1, 5, 5]]


def test_vectors_are_averaged_over_time_after_the_read_out() -> None:
    square = nn.Sequential(GlobalAverage(), _Square())
    clip = torch.tensor([1.0, 3.0]).view(1, 1, 2, 1, 1)
    assert OverTime(square)(clip).tolist() == [[5.0]]  # (1 + 9) / 2, not the square of the mean


class _Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x
