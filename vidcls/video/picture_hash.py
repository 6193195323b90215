"""Frames of a video, as they come -> hashes of some of them, by which pictures that look alike are found."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

HASH_BITS = 256
NUM_HASHED = 8  # frames of a video, with its first and its last: clips cut one after the other meet there
_SIDE_PX = 64
_SIDE_BITS = 16
_LEAST_CONTRAST = 1.5  # of 255, RMS within the hashed band: below it the hash is that of noise, as of a black frame
_WORDS = HASH_BITS // 64


def picture_hash(frame: Tensor) -> bytes | None:
    """32 bytes that are nearly the same for pictures that look alike; None for a picture that shows hardly anything.

    The lowest 16 x 16 frequencies of the discrete cosine transform of the 64 x 64 luma, without the constants along
    either axis, each compared with their median: the hash PDQ (Facebook: The TMK+PDQF Video-Hashing Algorithm and the
    PDQ Image-Hashing Algorithm, 2019), which follows pHash (Zauner: Implementation and Benchmarking of Perceptual Image
    Hash Functions, 2010). Deviates: the picture is reduced by averaging areas, and contrast takes the place of its
    measure of quality.

    Args:
        frame: ``(3, H, W)`` uint8.
    """
    luma = cv2.cvtColor(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    band = cv2.dct(small)[1 : _SIDE_BITS + 1, 1 : _SIDE_BITS + 1]
    if math.sqrt(float((band**2).sum())) / _SIDE_PX < _LEAST_CONTRAST:
        return None
    return np.packbits(band > np.median(band)).tobytes()


def mirrored(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes ``(N, 4)`` of the same pictures mirrored left to right, but for bits near the median.

    Mirroring negates the coefficients of odd horizontal frequency.
    """
    is_odd = np.tile(np.arange(1, _SIDE_BITS + 1) % 2 == 1, (_SIDE_BITS, 1))
    mask: NDArray[np.uint64] = hashes ^ np.packbits(is_odd).view(np.uint64)
    return mask


class PictureHashes:
    """Frames, as they come -> the hashes of some, evenly spread from the first to the last.

    Args:
        num_frames: of the whole video.
    """

    def __init__(self, num_frames: int) -> None:
        last = max(0, num_frames - 1)
        self._wanted = {round(k * last / (NUM_HASHED - 1)) for k in range(NUM_HASHED)}
        self._found: list[bytes] = []

    def add(self, first: int, frames: Tensor) -> None:
        """Take note of the next frames, ``(T, 3, H, W)`` uint8, of which the first has the number ``first``."""
        for index, frame in enumerate(frames, start=first):
            if index in self._wanted and (found := picture_hash(frame)) is not None and found not in self._found:
                self._found.append(found)

    @property
    def text(self) -> str:
        """The hashes one after the other in hexadecimal, each once."""
        return b"".join(self._found).hex()


def hashes_in(text: str) -> NDArray[np.uint64]:
    """What `PictureHashes.text` says ``(N, 4)``."""
    return np.frombuffer(bytes.fromhex(text), dtype=np.uint64).reshape(-1, _WORDS)
