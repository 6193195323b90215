"""Frames in memory behind the protocol of the decoders, for tests and for frames made by a program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.types import VideoInfo
from vidcls.video.packets import even_seconds
from vidcls.video.video_reader import Frames, GivesTensors, array_of

if TYPE_CHECKING:
    from torch import Tensor


class MemoryReader(GivesTensors):
    """Hands out the frames it was given.

    Args:
        frames: ``(T, 3, H, W)`` uint8 RGB, a tensor or an array.
        fps: frames per second to report.
    """

    def __init__(self, frames: Tensor | NDArray[np.uint8], *, fps: float = 25.0) -> None:
        if (
            str(frames.dtype).removeprefix("torch.") != "uint8"
            or frames.ndim != 4
            or frames.shape[1] != 3
            or len(frames) == 0
        ):
            raise ValueError(f"frames is {tuple(frames.shape)} {frames.dtype}; it must be (T, 3, H, W) uint8, T >= 1")
        if not (math.isfinite(fps) and fps >= 0):
            raise ValueError(f"fps is {fps}; it must be a number of at least 0, where 0 means that no rate is known")
        self._frames: Frames = array_of(frames)  # type: ignore[assignment]
        self.fps = fps
        self.num_frames = len(frames)

    @property
    def info(self) -> VideoInfo:
        """All facts; the codec is ``raw``."""
        return VideoInfo(self.num_frames, self.fps, self._frames.shape[2], self._frames.shape[3], "raw")

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown: evenly."""
        return even_seconds(self.num_frames, self.fps)

    def pixels(self, indices: Sequence[int]) -> Frames:
        """A copy of the frames at ``indices``, ``(T, 3, H, W)`` uint8.

        Raises:
            IndexError: an index is negative or not below ``num_frames``.
        """
        for i in indices:
            if not 0 <= i < self.num_frames:
                raise IndexError(f"frame {i} does not exist; indices go from 0 to {self.num_frames - 1}")
        return self._frames[list(indices)]

    def close(self) -> None:
        """Nothing to release."""
