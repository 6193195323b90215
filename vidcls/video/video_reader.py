"""What every decoder offers, whichever library it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from vidcls.types import VideoInfo


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

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The frames at ``indices`` in the order asked, ``(T, 3, H, W)`` uint8 RGB, upright.

        Raises:
            DecodeError: a frame cannot be had; says why, but not of which file. The reader can then only be closed.
        """

    def close(self) -> None:
        """Release the file and the decoder; allowed more than once."""
