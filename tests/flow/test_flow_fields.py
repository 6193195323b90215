from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidcls.flow import estimate, fields


def random_flow(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_flip_mirrors_both_components_and_negates_x_alone() -> None:
    flow = random_flow(5, 2, 7, 9)
    flipped = fields.flip_horizontal(flow)
    assert torch.equal(flipped[:, 0], -flow[:, 0].flip(-1))
    assert torch.equal(flipped[:, 1], flow[:, 1].flip(-1))


def test_two_flips_are_the_identity_and_the_input_stays() -> None:
    flow = random_flow(5, 2, 7, 9)
    before = flow.clone()
    assert torch.equal(fields.flip_horizontal(fields.flip_horizontal(flow)), flow)
    assert torch.equal(flow, before)


def test_a_flip_is_the_flow_of_flipped_frames(sliding_frames: Tensor) -> None:
    flipped = fields.flip_horizontal(estimate(sliding_frames))
    computed = estimate(sliding_frames.flip(-1))
    assert fields.end_point_error(flipped[..., 16:-16, 16:-16], computed[..., 16:-16, 16:-16]) < 0.05


@settings(deadline=None)
@given(height=st.integers(4, 40), width=st.integers(4, 40))
def test_a_resize_scales_each_axis_by_its_own_factor(height: int, width: int) -> None:
    flow = torch.tensor([6.0, -2.0]).view(2, 1, 1).expand(3, 2, 20, 30)
    resized = fields.resize(flow, (height, width))
    expected = torch.tensor([6.0 * width / 30, -2.0 * height / 20]).view(2, 1, 1).expand(3, 2, height, width)
    torch.testing.assert_close(resized, expected)


def test_a_resize_to_the_same_size_changes_nothing() -> None:
    flow = random_flow(2, 7, 9)
    assert torch.equal(fields.resize(flow, (7, 9)), flow)


def test_a_resize_keeps_leading_axes() -> None:
    assert fields.resize(random_flow(4, 5, 2, 8, 8), (4, 16)).shape == (4, 5, 2, 4, 16)


def test_a_resize_is_near_the_flow_of_resized_frames(sliding_frames: Tensor) -> None:
    halved = fields.resize(estimate(sliding_frames), (32, 40))[..., 8:-8, 8:-8]
    torch.testing.assert_close(halved.mean(dim=(0, 2, 3)), torch.tensor([1.0, 0.5]), atol=0.05, rtol=0)


def test_a_crop_keeps_values() -> None:
    flow = random_flow(3, 2, 10, 12)
    assert torch.equal(fields.crop(flow, 2, 3, 4, 5), flow[..., 2:6, 3:8])


@pytest.mark.parametrize("box", [(-1, 0, 4, 4), (0, 0, 11, 4), (8, 0, 3, 4), (0, 0, 0, 4), (0, 9, 4, 4)])
def test_a_crop_outside_the_field_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        fields.crop(random_flow(2, 10, 12), *box)


def test_reversal_reverses_the_order_and_negates() -> None:
    flow = torch.arange(3.0).add(1).view(3, 1, 1, 1).expand(3, 2, 4, 4)
    assert fields.reverse_in_time(flow)[:, 0, 0, 0].tolist() == [-3, -2, -1]
    assert torch.equal(fields.reverse_in_time(fields.reverse_in_time(flow)), flow)


def test_reversal_is_the_flow_of_reversed_frames(sliding_frames: Tensor) -> None:
    # Speeds differ from field to field, so that a missing shift would show: 0 to 1, 1 to 2, 2 to 4.
    frames = sliding_frames[[0, 1, 2, 4]]
    reversed_fields = fields.reverse_in_time(estimate(frames))[..., 20:-20, 20:-20]
    computed = estimate(frames.flip(0))[..., 20:-20, 20:-20]
    for t, x in enumerate((-4.0, -2.0, -2.0)):
        assert computed[t, 0].mean().item() == pytest.approx(x, abs=0.1)
        assert fields.end_point_error(reversed_fields[t], computed[t]) < 0.05


def test_channels_are_stacked_as_x1_y1_x2_y2() -> None:
    x = torch.tensor([10.0, 20.0, 30.0])
    clip = torch.stack([x, x + 1]).view(2, 3, 1, 1).expand(2, 3, 4, 5)  # (2, T, H, W)
    stacked = fields.stack_channels(clip)
    assert stacked.shape == (6, 4, 5)
    assert stacked[:, 0, 0].tolist() == [10, 11, 20, 21, 30, 31]
    assert torch.equal(fields.stack_channels(clip[None].expand(2, -1, -1, -1, -1))[1], stacked)


def test_fields_in_place_of_a_clip_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(\.\.\., 2, T, H, W\)"):
        fields.stack_channels(torch.zeros(3, 2, 4, 4))


def test_the_end_point_error_is_the_mean_distance_over_known_pixels() -> None:
    truth = torch.zeros(2, 2, 2)
    truth[:, 0, 0] = 1.7e9  # unknown
    flow = torch.tensor([3.0, 4.0]).view(2, 1, 1).expand(2, 2, 2)
    assert fields.end_point_error(flow, truth) == pytest.approx(5.0)
