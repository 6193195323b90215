from __future__ import annotations

import torch

from vidcls.flow.pictures import (
    arrow_picture,
    arrow_spacing_px,
    arrow_times,
    arrows_on,
    component_picture,
    direction_picture,
    field_picture,
)


def constant(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).view(2, 1, 1).expand(2, 24, 36)


def test_a_component_is_grey_with_zero_in_the_middle() -> None:
    picture = component_picture(torch.tensor([[-20.0, 0.0, 20.0, 99.0]]), bound_px=20)
    assert picture.dtype == torch.uint8
    assert picture.tolist() == [[[1, 128, 255, 255]]] * 3


def test_no_motion_is_white() -> None:
    assert (direction_picture(constant(0, 0), bound_px=20) == 255).all()


def test_opposite_directions_have_other_colours_and_slower_motion_is_paler() -> None:
    right, left, slow = (direction_picture(constant(x, 0), bound_px=20)[:, 0, 0].int() for x in (20.0, -20.0, 5.0))
    assert (right - left).abs().sum() > 200
    assert slow.sum() > right.sum()


def test_the_scale_is_the_bound_and_not_the_longest_vector() -> None:
    alone = direction_picture(constant(5, 0), bound_px=20)[:, 0, 0]
    beside = constant(5, 0).clone()
    beside[:, 20, 20] = 15
    assert torch.equal(direction_picture(beside, bound_px=20)[:, 0, 0], alone)


def test_the_three_pictures_stand_side_by_side() -> None:
    picture = field_picture(constant(10, -10), bound_px=20)
    assert picture.shape == (3, 24, 3 * 36 + 4)
    assert picture[0, 0, 0] > 128 > picture[0, 0, 38]  # x to the right is bright, y upwards is dark


def test_arrows_are_drawn_where_there_is_motion_alone() -> None:
    assert (arrow_picture(constant(0, 0)) == 255).all()
    moving = arrow_picture(constant(6, 0))
    assert moving.shape == (3, 72, 108)
    row = (moving[1, 18] < 200).nonzero().flatten()  # y = 6, zoomed by 3: arrows begin at x = 18 and lead to x = 36
    assert row.min() >= 16
    assert 18 in row
    assert 33 in row


def test_slow_motion_has_arrows_that_one_can_see_on_any_ground() -> None:
    """Half a pixel to the right: a few arrows, nearly as long as they are apart, black beside white."""
    field = torch.tensor([0.5, 0.0]).view(2, 1, 1).expand(2, 60, 60)
    spacing = arrow_spacing_px((60, 60))
    assert arrow_times(0.5, spacing) * 0.5 == 0.8 * spacing == 8
    for ground in (0, 128, 255):
        shown = arrows_on(torch.full((3, 60, 60), ground, dtype=torch.uint8), field, bound_px=0.5)
        dark, bright = (shown < 30).all(dim=0), (shown > 225).all(dim=0)
        assert dark.any()
        assert bright.any()
        row = shown[0, 4 * 5, :].int()  # through the first row of arrows, at y = 5
        assert (row - ground).abs().gt(100).sum() > 6 * 8 * (4 if ground else 0)
