"""A small 3D network for a CPU: four blocks of 3x3x3 convolution, normalisation and ReLU."""

from __future__ import annotations

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.settings import LayerSettings


class Small3D(Backbone):
    """Four 3x3x3 convolutions with batch normalisation, and global average pooling over time and places.

    The size is halved by each of the first three blocks, time by the second and third. With the default width and three
    input channels it has 139,856 parameters.

    Args:
        in_channels: 3 for RGB, 2 for flow.
        width: channels of the first block; the others have 2, 3 and 4 times as many.
        layers: normalisation, activation and initial weights.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 16, layers: LayerSettings | None = None) -> None:
        layers = layers or LayerSettings()
        stages = {
            "block1": _block(in_channels, width, stride=(1, 2, 2), layers=layers),  # (B, width, T, H/2, W/2)
            "block2": _block(width, 2 * width, stride=(2, 2, 2), layers=layers),  # (B, 2 width, T/2, H/4, W/4)
            "block3": _block(2 * width, 3 * width, stride=(2, 2, 2), layers=layers),  # (B, 3 width, T/4, H/8, W/8)
            "block4": _block(3 * width, 4 * width, stride=(1, 1, 1), layers=layers),  # (B, 4 width, T/4, H/8, W/8)
        }
        super().__init__(stages, GlobalAverage(), num_features=4 * width, input_px=(64, 64), input_len=8)
        layers.initialise(self)


def _block(c_in: int, c_out: int, *, stride: tuple[int, int, int], layers: LayerSettings) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False),
        layers.make_norm(c_out, nn.BatchNorm3d, in_3d=True),
        layers.make_activation(),
    )
