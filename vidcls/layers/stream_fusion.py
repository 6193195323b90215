"""Maps of two streams -> one: sum, maximum, concatenation, convolution or bilinear product."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FusionMethod = Literal["sum", "max", "concat", "conv", "bilinear"]


class StreamFusion(nn.Module):
    """The maps of two streams at the same places as one.

    Feichtenhofer, Pinz, Zisserman: Convolutional Two-Stream Network Fusion for Video Action Recognition, CVPR 2016,
    section 3.1. ``conv`` is a concatenation and a 1x1 convolution back to D channels; it starts as the sum.
    ``bilinear`` is the product of every channel of one with every channel of the other, summed over all places, then
    the signed root and a norm of one (Lin et al.: Bilinear CNN Models, ICCV 2015).

    Args:
        method: which of them.
        num_channels: D of each stream's maps.
    """

    def __init__(self, method: FusionMethod, num_channels: int) -> None:
        super().__init__()
        self.method: FusionMethod = method
        if method == "conv":
            self.mix = nn.Conv2d(2 * num_channels, num_channels, kernel_size=1)
            with torch.no_grad():
                self.mix.weight.copy_(torch.eye(num_channels).repeat(1, 2)[:, :, None, None])
                assert self.mix.bias is not None
                self.mix.bias.zero_()

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """Two maps ``(B, D, H, W)`` -> ``(B, D, H, W)``; ``concat`` gives 2D channels, ``bilinear`` ``(B, D*D)``."""
        if self.method == "sum":
            return spatial + temporal
        if self.method == "max":
            return torch.maximum(spatial, temporal)
        if self.method == "bilinear":
            product = torch.einsum("bihw,bjhw->bij", spatial, temporal).flatten(1)
            rooted = torch.sign(product) * torch.sqrt(product.abs() + EPSILON)
            return F.normalize(rooted, dim=1)
        joined = torch.cat([spatial, temporal], dim=1)  # (B, 2D, H, W)
        return self.mix(joined) if self.method == "conv" else joined


EPSILON = 1e-8  # a root has no gradient at zero
