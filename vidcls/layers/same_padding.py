"""Padding as TensorFlow's ``same``: a stride of s gives ``ceil(size / s)`` places, and an odd zero goes after."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after ``size`` places."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv3d(nn.Conv3d):
    """A convolution without bias whose padding in space is ``same``; the number of frames is kept.

    Args:
        c_in: channels that come in.
        c_out: channels that go out.
        kernel: ``(T, H, W)``, T odd.
        stride: steps in space.
        groups: of channels.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: tuple[int, int, int],
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        padding = (kernel[0] // 2, 0, 0)
        super().__init__(c_in, c_out, kernel, stride=(1, stride, stride), padding=padding, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, D, T, ceil(H / stride), ceil(W / stride))``."""
        top, bottom, left, right = _of_maps(maps, self.kernel_size[1:], self.stride[1])
        if top == bottom and left == right:  # no copy
            padding = (int(self.padding[0]), top, left)
            return F.conv3d(maps, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return super().forward(F.pad(maps, (left, right, top, bottom)))


class SameMean(nn.Module):
    """The mean of 3x3 places with a stride of 2, where padding is not counted: ``(B, C, T, H, W)`` -> half the size."""

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, C, T, ceil(H / 2), ceil(W / 2))``."""
        top, bottom, left, right = _of_maps(maps, (3, 3), 2)
        frames, there = maps.flatten(1, 2), maps.new_ones(1, 1, *maps.shape[3:])
        sums, counts = (F.avg_pool2d(F.pad(each, (left, right, top, bottom)), 3, 2) for each in (frames, there))
        return (sums / counts).unflatten(1, maps.shape[1:3])  # of zeros and of places that are there, both for 9


def _of_maps(maps: Tensor, kernel: tuple[int, ...], stride: int) -> tuple[int, int, int, int]:
    top, bottom = same_padding(maps.shape[3], kernel[0], stride)
    left, right = same_padding(maps.shape[4], kernel[1], stride)
    return top, bottom, left, right
