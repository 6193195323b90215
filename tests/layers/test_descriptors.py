"""Descriptors against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from vidcls.layers.descriptors import Block, Scale, blocks_of, describe, num_rows

# one feature, three frames: the whole picture is 1, 4, 2; the two places of the grid are ten and a hundred times that
TOKENS = torch.tensor([1.0, 4.0, 2.0])[None, :, None, None] * torch.tensor([1.0, 10.0, 100.0])[:, None]  # (1, 3, 3, 1)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("mean", [7 / 3]),
        ("std", [((16 / 9 + 25 / 9 + 1 / 9) / 3) ** 0.5]),
        ("max", [4.0]),
        ("absdiff", [2.5]),  # |4 - 1| and |2 - 4|
        ("ends", [1.0]),  # one frame at each end: 2 - 1
        ("last", [2.0]),
        ("bend", [2.5]),  # 4 - (1 + 2) / 2
        ("segments2", [1.0, 3.0]),
        ("segments3", [1.0, 4.0, 2.0]),
        ("segments4", [1.0, 1.0, 4.0, 2.0]),  # more segments than frames
    ],
)
def test_each_part_of_three_frames(part: str, expected: list[float]) -> None:
    whole, grid = Block("l", part, "whole"), Block("l", part, "grid")
    assert whole(TOKENS)[0].tolist() == pytest.approx(expected)
    assert grid(TOKENS)[0].tolist() == pytest.approx([factor * v for v in expected for factor in (10, 100)])
    assert whole.num_features((3, 3, 1)) == len(expected) == num_rows(part)
    assert grid.num_features((3, 3, 1)) == 2 * len(expected)


def test_one_frame_has_no_differences() -> None:
    blocks = blocks_of({"l": (1, 3, 1)}, ["l"], "mean+absdiff+ends+bend", "whole")
    assert describe({"l": TOKENS[:, :1]}, blocks).tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_ends_are_three_frames_where_there_are_enough() -> None:
    tokens = torch.arange(8.0)[None, :, None, None]
    assert Block("l", "ends", "whole")(tokens).item() == 5.0  # (5 + 6 + 7 - 0 - 1 - 2) / 3


def test_scales() -> None:
    tokens = torch.tensor([[[[9.0, -16.0], [3.0, -4.0]]]])
    assert Block("l", "mean", "whole", "sqrt")(tokens)[0].tolist() == pytest.approx([3.0, -4.0], abs=1e-5)
    assert Block("l", "mean", "grid", "unit")(tokens)[0].tolist() == pytest.approx([0.6, -0.8])


def test_levels_stand_side_by_side_and_one_without_a_grid_gives_its_vector() -> None:
    tokens = {"a": TOKENS, "b": torch.full((1, 3, 1, 2), 7.0)}
    blocks = blocks_of({"a": (3, 3, 1), "b": (3, 1, 2)}, ["a", "b"], "last", "grid")
    assert describe(tokens, blocks).tolist() == [[20.0, 200.0, 7.0, 7.0]]


@pytest.mark.parametrize(
    ("level", "descriptor", "places", "message"),
    [
        ("c", "mean", "whole", "no level 'c': expected one of a"),
        ("a", "mean+median", "whole", "'median' of pooling time: expected mean, std"),
        ("a", "segments0", "whole", "segments0"),
        ("a", "mean", "corner", "'corner' is none of whole, grid, both"),
    ],
)
def test_unknown_names_are_refused(level: str, descriptor: str, places: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks_of({"a": (3, 3, 1)}, [level], descriptor, places)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "descriptor", "message"),
    [
        (["a", "a"], "mean", "the same level more than once"),
        (["a"], "mean+ends+mean", "the same way of pooling time more than once"),
        (["a"], 7, "given as 7; expected names joined by"),
    ],
)
def test_what_is_named_twice_or_is_no_name_is_refused(levels: list[str], descriptor: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks_of({"a": (3, 3, 1)}, levels, descriptor, "whole")


@pytest.mark.parametrize("descriptor", ["mean", "absdiff", "ends", "segments2", "std"])
@pytest.mark.parametrize("scale", ["none", "sqrt", "unit"])
def test_heat_maps_have_gradients_where_nothing_is_seen_or_moves(descriptor: str, scale: Scale) -> None:
    tokens = torch.zeros(1, 4, 3, 2, requires_grad=True)
    blocks = blocks_of({"late": (4, 3, 2)}, ["late"], descriptor, "both", scale)
    describe({"late": tokens}, blocks).sum().backward()
    assert tokens.grad is not None
    assert torch.isfinite(tokens.grad).all()
