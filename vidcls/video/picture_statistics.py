"""The frames of a video, as they come -> whether all are black or alike, and a digest of them."""

from __future__ import annotations

import hashlib

from torch import Tensor
from torch.nn import functional as F

BLOCK_PX = 8  # side of the squares whose means are compared, so that noise of single pixels does not count
LOOKED_AT_PX = 256  # most samples along the shorter side of a picture for that
BLACK = 16  # of 255: the level of black of video
ALIKE = 4.5  # of 255: a still picture behind H.264 or MPEG-4 moves a block by 3, a sleeper under a camera by 7
SAMPLED_PX = 4  # of the pixels each way, one in so many makes the digest of the content


class PictureStatistics:
    """Frames, as they come -> whether all are black or alike, and a digest of them."""

    def __init__(self) -> None:
        self.num_frames = 0
        self.brightest = 0.0
        self.largest_change = 0.0
        self._first: Tensor | None = None
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, frames: Tensor) -> None:
        """Take note of the next frames, ``(T, 3, H, W)`` uint8."""
        self.num_frames += len(frames)
        self._digest.update(repr(frames.shape[1:]).encode())
        self._digest.update(frames[..., ::SAMPLED_PX, ::SAMPLED_PX].contiguous().numpy().tobytes())
        apart = max(1, min(frames.shape[-2:]) // LOOKED_AT_PX)
        for frame in frames[..., ::apart, ::apart]:
            side = min(BLOCK_PX, *frame.shape[-2:])
            blocks = F.avg_pool2d(frame.float(), side)  # (3, h, w)
            if self._first is None:
                self._first = blocks
            self.brightest = max(self.brightest, float(blocks.max()))
            self.largest_change = max(self.largest_change, float((blocks - self._first).abs().max()))

    @property
    def digest(self) -> str:
        """Of some of the pixels of all frames."""
        return self._digest.hexdigest()

    @property
    def is_black(self) -> bool:
        """Whether no frame is brighter than black."""
        return self.brightest <= BLACK

    @property
    def is_frozen(self) -> bool:
        """Whether all frames are alike."""
        return self.num_frames > 1 and self.largest_change <= ALIKE
