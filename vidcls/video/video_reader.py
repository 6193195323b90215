"""What every decoder offers, whichever library it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from vidcls.types import VideoInfo

if TYPE_CHECKING:  # torch takes seconds to import, and who has no need of tensors does without
    from torch import Tensor

Frames = NDArray[np.uint8]
"""Frames ``(T, 3, H, W)`` uint8 RGB, upright; the colours of a pixel usually lie side by side in memory."""


class VideoReader(Protocol):
    """What every decoder offers: facts of one open video, and its frames by index."""

    @property
    def num_frames(self) -> int:
        """Number of frames that the file announces, without decoding any."""

    @property
    def fps(self) -> float:
        """Average frames per second as the container states it."""

    @property
    def info(self) -> VideoInfo:
        """All facts, upright; may cost the decoding of one frame."""

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown, in seconds after frame 0; may list the packets of the file, decodes nothing.

        Raises:
            DecodeError: the file states neither times nor a frame rate; says so, but not of which file.
        """

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices`` in the order asked, ``(T, 3, H, W)`` uint8 RGB, upright.

        Raises:
            DecodeError: a frame cannot be had; says why, but not of which file. The reader can then only be closed.
        """

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The same as a tensor, which shares their memory; see :class:`GivesTensors`."""

    def close(self) -> None:
        """Release the file and the decoder; allowed more than once."""


class GivesTensors:
    """The frames of a reader as tensors."""

    def pixels(self, indices: Sequence[int]) -> Frames:
        """See :meth:`VideoReader.pixels`."""
        raise NotImplementedError

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The frames at ``indices`` in the order asked, ``(T, 3, H, W)`` uint8; errors as of :meth:`pixels`."""
        import torch

        return torch.from_numpy(self.pixels(indices))


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a tensor; where torch was not imported, none can be."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def array_of(frames: Tensor | NDArray[np.generic]) -> NDArray[np.generic]:
    """An array as it is, and a tensor as an array that shares its memory where that is of this machine."""
    return frames.cpu().numpy() if is_tensor(frames) else np.asarray(frames)
