"""Small modules between the stages of torchvision's networks, so that each stage gives maps, channels first."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError


class ImageNetToHalf(nn.Module):
    """Frames normalised by ImageNet's mean and standard deviation -> the same normalised by .5 and .5."""

    def __init__(self) -> None:
        super().__init__()
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("scale", (std / 0.5).view(3, 1, 1), persistent=False)
        self.register_buffer("shift", ((mean - 0.5) / 0.5).view(3, 1, 1), persistent=False)

    scale: Tensor
    shift: Tensor

    def forward(self, frames: Tensor) -> Tensor:
        """Scale and shift."""
        return frames * self.scale + self.shift


class ChannelsFirst(nn.Module):
    """``(B, ..., C)`` -> ``(B, C, ...)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Move the channels."""
        return maps.movedim(-1, 1)


class ChannelsLast(nn.Module):
    """``(B, C, ...)`` -> ``(B, ..., C)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Move the channels."""
        return maps.movedim(1, -1)


class OnlySize(nn.Module):
    """Frames of one size pass; others are refused in one line."""

    def __init__(self, name: str, side_px: int) -> None:
        super().__init__()
        self.name = name
        self.side_px = side_px

    def forward(self, frames: Tensor) -> Tensor:
        """The same frames.

        Raises:
            ConfigurationError: they have another size.
        """
        if tuple(frames.shape[2:]) != (self.side_px, self.side_px):
            raise ConfigurationError(
                f"{self.name} takes frames of {self.side_px}x{self.side_px}, got {frames.shape[2]}x{frames.shape[3]}: "
                f"set transform.crop_px to {self.side_px}"
            )
        return frames


class VitPatches(nn.Module):
    """Frames -> tokens ``(B, 1 + N, D)`` of their patches, the class token before them, with their places."""

    def __init__(self, network: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.check = OnlySize("vit", cast(int, network.image_size))
        self.project = network.get_submodule("conv_proj")
        self.class_token = cast(nn.Parameter, network.class_token)
        self.places = cast(nn.Parameter, encoder.pos_embedding)
        self.dropout = encoder.get_submodule("dropout")

    def forward(self, frames: Tensor) -> Tensor:
        """Cut, project and place."""
        patches = self.project(self.check(frames)).flatten(2).transpose(1, 2)  # (B, N, D)
        tokens = torch.cat([self.class_token.expand(len(patches), -1, -1), patches], dim=1)  # (B, 1 + N, D)
        return self.dropout(tokens + self.places)


class ClassToken(nn.Module):
    """Tokens ``(B, 1 + N, D)`` -> the class token as a map of one place."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Take the first."""
        return tokens[:, 0, :, None, None]  # (B, D, 1, 1)
