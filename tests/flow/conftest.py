"""Pictures whose motion is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.types import VideoRecord
from vidcls.video import LocalFile, write_video


def texture(height: int, width: int, seed: int, *, grain_px: int = 5) -> Tensor:
    """A smooth random picture, ``(3, H, W)`` uint8."""
    coarse = torch.rand(
        1, 3, height // grain_px + 2, width // grain_px + 2, generator=torch.Generator().manual_seed(seed)
    )
    fine = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)[0]
    return (fine.clamp(0, 1) * 255).to(torch.uint8)


@pytest.fixture(scope="session")
def moving_square_frames() -> Tensor:
    """A textured square of 48 px that moves 3 px to the right per frame before a still texture, ``(4, 3, 96, 128)``."""
    ground, square = texture(96, 128, 1), texture(48, 48, 2)
    frames = ground.repeat(4, 1, 1, 1)
    for t in range(4):
        frames[t, :, 24:72, 30 + 3 * t : 78 + 3 * t] = square
    return frames


@pytest.fixture(scope="session")
def sliding_frames() -> Tensor:
    """A texture that slides 2 px to the right and 1 px down per frame everywhere, ``(5, 3, 64, 80)``."""
    image = texture(120, 160, 3)
    return torch.stack([image[:, 30 - t : 94 - t, 40 - 2 * t : 120 - 2 * t] for t in range(5)])


@pytest.fixture
def make_record(tmp_path: Path, sliding_frames: Tensor) -> Callable[..., VideoRecord]:
    """Write a lossless video below ``tmp_path/videos`` and return its record."""

    def make(name: str = "walk/a.avi", frames: Tensor = sliding_frames) -> VideoRecord:
        path = tmp_path / "videos" / name
        write_video(path, frames, codec="ffv1")
        return VideoRecord(source=LocalFile(path), label="walk", split="train", name=name)

    return make
