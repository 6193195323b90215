"""Small modules around the layers of transformers, and how its layers of patches are called."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TimePlaces(nn.Module):
    """Places in time for tokens ``(B * N, T, D)``, interpolated where there are more or fewer times."""

    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, tokens: Tensor) -> Tensor:
        """The same shape."""
        places = self.embeddings.interpolate_pos_encoding(tokens)  # type: ignore[operator]
        return cast(Tensor, self.embeddings.get_submodule("dropout")(tokens + places))


class Siglip2Patches(nn.Module):
    """The patches of SigLIP 2 for any shape, whose layer of pixels is a convolution, as that of all others.

    Args:
        embeddings: of transformers; its layer sees a patch as a row of pixels, channels last.
        num_channels: C of its input.
    """

    def __init__(self, embeddings: nn.Module, num_channels: int) -> None:
        super().__init__()
        rows = cast(nn.Linear, embeddings.get_submodule("patch_embedding"))
        side = cast(int, embeddings.patch_size)
        self.projection = nn.Conv2d(num_channels, rows.out_features, side, stride=side, device=rows.weight.device)
        with torch.no_grad():
            self.projection.weight.copy_(rows.weight.unflatten(1, (side, side, num_channels)).permute(0, 3, 1, 2))
            cast(Tensor, self.projection.bias).copy_(rows.bias)
        self.places = cast(nn.Embedding, embeddings.get_submodule("position_embedding"))
        self.side = cast(int, embeddings.position_embedding_size)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> tokens ``(B, N, D)``."""
        maps = self.projection(frames)  # (B, D, h, w)
        places = self.places.weight.T.unflatten(1, (self.side, self.side))[None]  # (1, D, side, side)
        places = F.interpolate(places, size=maps.shape[2:], mode="bilinear", align_corners=False, antialias=True)
        return (maps + places).flatten(2).transpose(1, 2)


def plainly(embed: nn.Module, x: Tensor) -> Tensor:
    """Tokens of a layer that takes frames and nothing else."""
    return cast(Tensor, embed(x))


def interpolated(embed: nn.Module, x: Tensor) -> Tensor:
    """Tokens of a layer that interpolates its places for pictures of other sizes."""
    return cast(Tensor, embed(x, interpolate_pos_encoding=True))


def all_interpolated(embed: nn.Module, x: Tensor) -> Tensor:
    """The same of VideoPrism."""
    return cast(Tensor, embed(x, True))


def without_mask(embed: nn.Module, x: Tensor) -> Tensor:
    """Tokens of a layer that can hide some."""
    return cast(Tensor, embed(x, None))
