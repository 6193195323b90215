"""Last feature maps -> one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers.snippets import as_frames


class GlobalAverage(nn.Module):
    """The mean over all places, and over time where there is one: ``(B, C, ...)`` -> ``(B, C)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` or ``(B, C, T, H, W)`` -> ``(B, C)``."""
        return maps.flatten(2).mean(dim=2)


class FlattenMaps(nn.Module):
    """Maps of one size only -> vector, in front of a fully connected layer.

    Args:
        shape: the maps' shape without B.
        expects: what the network takes, for the message, such as ``cnn_m_2048 takes 224x224``.

    Raises:
        ConfigurationError: when called with maps of another shape.
    """

    def __init__(self, shape: tuple[int, ...], *, expects: str) -> None:
        super().__init__()
        self.shape = shape
        self.expects = expects

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, *shape)`` -> ``(B, product of shape)``."""
        if tuple(maps.shape[1:]) != self.shape:
            raise ConfigurationError(
                f"{self.expects}: its last maps came out as {tuple(maps.shape[1:])} and not as {self.shape}; "
                "set transform.crop_px and clip_len to what it takes, or choose another backbone"
            )
        return torch.flatten(maps, 1)


class PerTower(nn.Module):
    """One read-out applied to the maps of each tower, the vectors joined: ``(B, N*C, H, W)`` -> ``(B, N*D)``.

    Args:
        read_out: maps ``(B, C, H, W)`` -> ``(B, D)``.
        num_towers: N.
    """

    def __init__(self, read_out: nn.Module, num_towers: int) -> None:
        super().__init__()
        self.read_out = read_out
        self.num_towers = num_towers

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of all towers ``(B, N*C, ...)`` -> ``(B, N*D)``."""
        return torch.cat([self.read_out(tower) for tower in maps.chunk(self.num_towers, dim=1)], dim=1)


class OverTime(nn.Module):
    """A read-out of frames over clips: the mean over T of its vectors.

    Args:
        read_out: maps ``(B, C, H, W)`` -> ``(B, D)``.
    """

    def __init__(self, read_out: nn.Module) -> None:
        super().__init__()
        self.read_out = read_out

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, C, T, H, W)`` -> ``(B, D)``."""
        T = maps.shape[2]
        vectors = self.read_out(as_frames(maps))  # (B*T, D)
        return vectors.unflatten(0, (-1, T)).mean(dim=1)
