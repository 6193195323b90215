"""Changing the first convolution for another number of channels."""

from __future__ import annotations

import torch
from torch import nn

from vidcls.layers import cross_modality_kernels, replace_stem


def test_cross_modality_kernels_are_the_mean_over_colour_for_every_channel() -> None:
    rgb = torch.tensor([[[[3.0]], [[6.0]], [[0.0]]], [[[1.0]], [[1.0]], [[7.0]]]])  # (2, 3, 1, 1)
    kernels = cross_modality_kernels(rgb, 4)
    assert kernels.shape == (2, 4, 1, 1)
    assert kernels[0].flatten().tolist() == [3.0] * 4
    assert kernels[1].flatten().tolist() == [3.0] * 4


def test_kernels_in_three_dimensions_are_averaged_over_colour_as_well() -> None:
    kernels = torch.randn(8, 3, 3, 5, 5)
    assert cross_modality_kernels(kernels, 2).shape == (8, 2, 3, 5, 5)


def test_only_the_first_convolution_is_replaced_and_keeps_its_geometry_and_its_bias() -> None:
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=1, dilation=2), nn.ReLU()), nn.Conv2d(8, 4, 3)
    )
    first, second = net[0][0], net[1]
    replace_stem(net, 6, keep_weights=True)
    new = net[0][0]
    assert (new.in_channels, new.kernel_size, new.stride, new.padding, new.dilation) == (
        6,
        (5, 5),
        (2, 2),
        (1, 1),
        (2, 2),
    )
    assert torch.equal(new.bias, first.bias)
    assert net[1] is second


def test_a_stem_that_fits_already_stays() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 5))
    first = net[0]
    replace_stem(net, 3, keep_weights=False)
    assert net[0] is first
