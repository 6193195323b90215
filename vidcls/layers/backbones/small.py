"""A small convolutional network for a CPU: four blocks of convolution, normalisation and ReLU."""

from __future__ import annotations

from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone


class SmallNet(Backbone):
    """Four 3x3 convolutions with batch normalisation, halving the size three times, and global average pooling.

    With the default width and three input channels it has 32,976 parameters: a training step on 64x64 frames
    takes milliseconds on one core.

    Args:
        in_channels: C of the input.
        width: channels of the first block; the others have 2, 2 and 4 times as many.
    """

    def __init__(self, in_channels: int = 3, *, width: int = 16) -> None:
        super().__init__()
        self.block1 = _block(in_channels, width, stride=2)
        self.block2 = _block(width, 2 * width, stride=2)
        self.block3 = _block(2 * width, 2 * width, stride=2)
        self.block4 = _block(2 * width, 4 * width, stride=1)
        self.num_features = 4 * width

    @property
    def stem(self) -> nn.Conv2d:
        """The first convolution."""
        convolution = self.block1[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The four blocks."""
        return {"block1": self.block1, "block2": self.block2, "block3": self.block3, "block4": self.block4}

    def forward(self, x: Tensor) -> Tensor:
        """Input ``(B, C, H, W)`` -> features ``(B, 4 * width)``."""
        x = self.block1(x)  # (B, width, H/2, W/2)
        x = self.block2(x)  # (B, 2 width, H/4, W/4)
        x = self.block3(x)  # (B, 2 width, H/8, W/8)
        x = self.block4(x)  # (B, 4 width, H/8, W/8)
        return x.mean(dim=(-2, -1))  # (B, 4 width)


def _block(in_channels: int, out_channels: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
