"""A video whose motion is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NUM_FRAMES, STEP_PX = 12, 3


def moving_square() -> Tensor:
    """A textured square that moves 3 px to the right in each frame, ``(12, 3, 64, 96)`` uint8."""
    import torch

    frames = torch.full((NUM_FRAMES, 3, 64, 96), 60, dtype=torch.uint8)
    down, right = torch.meshgrid(torch.arange(28), torch.arange(24), indexing="ij")
    square = (150 + 40 * (right / 3).sin() + 40 * (down / 3).cos()).to(torch.uint8)
    for t, frame in enumerate(frames):
        left = 20 + STEP_PX * t
        frame[:, 18:46, left : left + 24] = square
    return frames
