"""Channels of a clip, each scaled by what all of them say on average."""

from __future__ import annotations

from torch import Tensor, nn


class SqueezeExcitation3D(nn.Module):
    """The mean over places and times, through two fully connected layers, as factors from 0 to 1 on the channels.

    Hu, Shen, Sun: Squeeze-and-Excitation Networks, CVPR 2018.

    Args:
        num_channels: C.
        num_squeezed: units of the first layer.
    """

    def __init__(self, num_channels: int, num_squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv3d(num_channels, num_squeezed, 1)
        self.activation = nn.ReLU()
        self.excite = nn.Conv3d(num_squeezed, num_channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> the same shape."""
        mean = maps.mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        return maps * self.gate(self.excite(self.activation(self.squeeze(mean))))
