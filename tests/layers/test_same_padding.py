"""TensorFlow's ``same``: sizes and sums of windows worked out by hand."""

from __future__ import annotations

import pytest
import torch

from vidcls.layers.same_padding import SameConv3d, SameMean, same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (172, 3, 2, (0, 1)),  # even: the last window has one zero, after
        (43, 3, 2, (1, 1)),
        (86, 5, 2, (1, 2)),
        (5, 5, 1, (2, 2)),
        (1, 3, 2, (1, 1)),
        (4, 1, 2, (0, 0)),  # a kernel of one place never needs any
    ],
)
def test_padding_is_even_or_has_one_more_after(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == expected


def test_a_convolution_of_ones_counts_the_places_of_each_window() -> None:
    layer = SameConv3d(1, 1, (1, 3, 3), stride=2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    assert layer(torch.ones(1, 1, 1, 4, 5))[0, 0, 0].tolist() == [[6, 9, 6], [4, 6, 4]]  # rows 0-2, 2-3; 0-1, 1-3, 3-4


@pytest.mark.parametrize("size", [5, 6])
def test_frames_are_kept_whether_padding_is_even_or_not(size: int) -> None:
    layer = SameConv3d(2, 4, (5, 3, 3), stride=2, groups=2)
    assert layer(torch.ones(1, 2, 7, size, size)).shape == (1, 4, 7, 3, 3)


@pytest.mark.parametrize("size", [(4, 4), (5, 5), (4, 5), (1, 2)])
def test_a_mean_is_that_of_the_places_that_are_there(size: tuple[int, int]) -> None:
    maps = torch.rand(1, 1, 2, *size)
    (top, _), (left, _) = (same_padding(length, 3, 2) for length in size)
    found = SameMean()(maps)
    assert found.shape[3:] == tuple(-(-length // 2) for length in size)
    for row in range(found.shape[3]):
        for column in range(found.shape[4]):
            y, x = 2 * row - top, 2 * column - left
            window = maps[..., max(y, 0) : y + 3, max(x, 0) : x + 3]
            assert torch.allclose(found[..., row, column], window.mean(dim=(3, 4)))
