"""LeNet-5: the network that read digits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.errors import ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.settings import LayerSettings

SIDE_PX = 32
# LeCun et al. 1998, table 1: the maps of S2 that each map of C3 sees.
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(Backbone):
    """Three convolutions of 5x5 with sub-sampling between them, and a fully connected layer of 84 units.

    LeCun, Bottou, Bengio and Haffner: Gradient-Based Learning Applied to Document Recognition, Proceedings of the IEEE
    86(11), 1998, section II.B. Input 32x32; the sub-sampling has a trained coefficient and bias for each map, and the
    maps of C3 see those of S2 by the paper's table.

    Deviations: a linear classifier follows where the paper has radial basis functions; initial weights are PyTorch's;
    of pictures larger than 32x32 the 120 maps of C5 are averaged over their places.

    Args:
        in_channels: 1 for digits, 3 for RGB.
        layers: normalisation (none in the paper), activation (there ``1.7159 tanh(2a/3)``) and initial weights.
        num_towers: see :class:`Backbone`; the fully connected layer sees the maps of all towers.
    """

    def __init__(self, in_channels: int = 3, *, layers: LayerSettings | None = None, num_towers: int = 1) -> None:
        layers = layers or LayerSettings()

        def activation() -> nn.Module:
            return ScaledTanh() if layers.activation is None else layers.make_activation()

        def convolution(conv: nn.Module, num_maps: int) -> nn.Sequential:
            norm = layers.make_norm(num_maps, lambda _: nn.Identity())
            return nn.Sequential(conv, norm, activation())

        stages = {
            "c1": nn.Sequential(
                AtLeast(SIDE_PX, "lenet5"), convolution(nn.Conv2d(in_channels, 6, 5), 6)
            ),  # (B, 6, 28, 28)
            "s2": nn.Sequential(Subsampling(6), activation()),  # (B, 6, 14, 14)
            "c3": convolution(SomeConnections(C3_INPUTS, 5), 16),  # (B, 16, 10, 10)
            "s4": nn.Sequential(Subsampling(16), activation()),  # (B, 16, 5, 5)
            "c5": convolution(nn.Conv2d(16, 120, 5), 120),  # (B, 120, 1, 1)
        }
        read_out = nn.Sequential(GlobalAverage(), nn.Linear(120 * num_towers, 84), activation())
        super().__init__(stages, read_out, num_features=84, input_px=(SIDE_PX, SIDE_PX))
        layers.initialise(self)


class ScaledTanh(nn.Module):
    """``1.7159 tanh(2a/3)``, which gives about 1 for 1 (LeCun et al. 1998, equation 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.tanh = nn.Tanh()  # a module, so that its saturation is seen

    def forward(self, a: Tensor) -> Tensor:
        """Any shape."""
        return 1.7159 * self.tanh(a * (2 / 3))


class Subsampling(nn.Module):
    """Sums over 2x2, times a trained coefficient, plus a trained bias, by map: ``(B, C, H, W)`` -> half H and W."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((num_channels, 1, 1), 0.25))  # begins as the mean
        self.bias = nn.Parameter(torch.zeros(num_channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Sum, scale and shift."""
        return 4 * F.avg_pool2d(maps, 2) * self.coefficient + self.bias


class SomeConnections(nn.Module):
    """A convolution each of whose maps sees some of the input's only; maps that see equally many are one in groups.

    Args:
        inputs: the input maps that each output map sees, those that see equally many side by side.
        kernel_size: height and width.
    """

    sources: Tensor

    def __init__(self, inputs: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        runs = [list(run) for _, run in groupby(inputs, key=len)]
        self.num_sources = [sum(len(seen) for seen in run) for run in runs]
        self.register_buffer("sources", torch.tensor([c for seen in inputs for c in seen]), persistent=False)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(num_sources, len(run), kernel_size, groups=len(run))
            for num_sources, run in zip(self.num_sources, runs, strict=True)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, len(inputs), H - kernel_size + 1, W - kernel_size + 1)``."""
        parts = maps.index_select(1, self.sources).split(self.num_sources, dim=1)
        return torch.cat([conv(part) for conv, part in zip(self.convolutions, parts, strict=True)], dim=1)


class AtLeast(nn.Module):
    """Pictures of at least ``side_px`` pass; smaller ones are refused in one line."""

    def __init__(self, side_px: int, name: str) -> None:
        super().__init__()
        self.side_px = side_px
        self.name = name

    def forward(self, picture: Tensor) -> Tensor:
        """Check the size."""
        height, width = picture.shape[-2:]
        if min(height, width) < self.side_px:
            raise ConfigurationError(
                f"{self.name} takes pictures of at least {self.side_px}x{self.side_px}, got {height}x{width}: raise "
                "transform.crop_px"
            )
        return picture
