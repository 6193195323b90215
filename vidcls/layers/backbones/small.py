"""A small convolutional network for a CPU: four blocks of convolution, normalisation and ReLU."""

from __future__ import annotations

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.settings import LayerSettings


class SmallNet(Backbone):
    """Four 3x3 convolutions with batch normalisation, halving the size three times, and global average pooling.

    With the default width and three input channels it has 32,976 parameters: a training step on 64x64 frames
    takes milliseconds on one core.

    Args:
        in_channels: C of the input.
        width: channels of the first block; the others have 2, 2 and 4 times as many.
        layers: normalisation, activation and initial weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(
        self, in_channels: int = 3, *, width: int = 16, layers: LayerSettings | None = None, num_towers: int = 1
    ) -> None:
        layers = layers or LayerSettings()
        stages = {
            "block1": _block(in_channels, width, stride=2, layers=layers),  # (B, width, H/2, W/2)
            "block2": _block(width, 2 * width, stride=2, layers=layers),  # (B, 2 width, H/4, W/4)
            "block3": _block(2 * width, 2 * width, stride=2, layers=layers),  # (B, 2 width, H/8, W/8)
            "block4": _block(2 * width, 4 * width, stride=1, layers=layers),  # (B, 4 width, H/8, W/8)
        }
        super().__init__(stages, GlobalAverage(), num_features=4 * width, num_towers=num_towers, input_px=(64, 64))
        layers.initialise(self)


def _block(in_channels: int, out_channels: int, *, stride: int, layers: LayerSettings) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False),
        layers.make_norm(out_channels, nn.BatchNorm2d),
        layers.make_activation(),
    )
