"""Frames and flow at one size -> the same at another, in NumPy: antialiased bilinear as torch computes it.

Frames ``uint8`` are resized in integers, as Pillow does it and torch on CPUs with vector units: weights are rounded to
at most 15 bits, sums are exact, and what the horizontal pass gives is rounded to 8 bits before the vertical one. The
sums are taken in floating point, whose matrix product is the fastest one there is, and in which integers of this size
are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MOST_WEIGHT = 2**15  # weights are 16-bit integers with a sign
MOST_BITS = 22
MIDDLE = 128  # of the values of a pixel
EXACT_IN_FLOAT32_BITS = 17  # of weights: of pixels between -128 and 127 no sum is above 2**24
BLOCK_PX = 16  # columns of a result that are computed at once, of those columns of the source that they depend on
CHUNK_VALUES = 2**22  # of frames that are floating point at a time


def resize_frames(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames ``(T, C, H, W)`` uint8 at ``size`` = (height, width) px, bit for bit as ``torchvision`` resizes them."""
    T, C, H, W = frames.shape
    height, width = size
    if (height, width) == (H, W):
        return frames
    resized = np.empty((T, C, height, width), dtype=np.uint8)
    chunk_len = max(1, CHUNK_VALUES // (C * H * W))
    for first in range(0, T, chunk_len):
        part = frames[first : first + chunk_len]
        if width != W:
            part = _rounded_along_rows(np.ascontiguousarray(part), width)  # (t, C, H, width)
        if height != H:
            part = _rounded_along_rows(np.ascontiguousarray(part.swapaxes(-1, -2)), height).swapaxes(-1, -2)
        resized[first : first + chunk_len] = part
    return resized


def resize_flow(flow: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """The flow of the picture at ``size`` px, ``(F, 2, H, W)`` float32; see :func:`vidcls.flow.fields.resize`."""
    H, W = flow.shape[-2:]
    height, width = size
    if (height, width) == (H, W):
        return flow
    along_rows = _flow_weights(W, width).applied(flow)  # (F, 2, H, width)
    both = _flow_weights(H, height).applied(along_rows.swapaxes(-1, -2))  # (F, 2, width, height)
    scale = np.array([width / W, height / H], dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(both.swapaxes(-1, -2) * scale)


def _rounded_along_rows(pixels: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Rows ``(..., W)`` uint8 at another length, each value rounded half up."""
    weights, bits = _pixel_weights(pixels.shape[-1], length)
    signed = (pixels ^ np.uint8(MIDDLE)).view(np.int8)  # less the middle value, so that sums are half as large
    sums = weights.applied(signed).astype(np.int32)
    sums += MIDDLE * weights.totals + (1 << (bits - 1))
    sums >>= bits
    return np.minimum(sums, 255, out=sums).astype(np.uint8)


_Column = tuple[int, NDArray[np.floating]]
"""The first row that is not zero, and all from it to the last one."""


class _Weights:
    """A matrix ``(W, w)`` that is zero far from its diagonal, as blocks of it; the whole may not fit in memory."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._length, self._kind = len(columns), columns[0][1].dtype
        self.totals = np.array([values.sum(dtype=np.float64) for _, values in columns]).astype(np.int32)
        """Of each column."""
        self._blocks: list[tuple[slice, slice, NDArray[np.floating]]] = []
        for left in range(0, self._length, BLOCK_PX):
            some = columns[left : left + BLOCK_PX]
            top = min(first for first, _ in some)
            bottom = max(first + len(values) for first, values in some)
            block = np.zeros((bottom - top, len(some)), dtype=self._kind)
            for k, (first, values) in enumerate(some):
                block[first - top : first - top + len(values), k] = values
            self._blocks.append((slice(top, bottom), slice(left, left + len(some)), block))

    def applied(self, values: NDArray[np.generic]) -> NDArray[np.floating]:
        """``values @ matrix``: ``(..., W)`` -> ``(..., w)``."""
        flat = values.reshape(-1, values.shape[-1]).astype(self._kind)
        product = np.empty((len(flat), self._length), dtype=self._kind)
        for rows, columns, block in self._blocks:
            product[:, columns] = flat[:, rows] @ block
        return product.reshape(*values.shape[:-1], self._length)


@lru_cache(maxsize=64)
def _pixel_weights(length: int, new_length: int) -> tuple[_Weights, int]:
    """The weights times the largest power of two with which all fit into 16 bits, as integers, and its exponent."""
    columns = _triangles(length, new_length, np.float64)
    largest, bits = max(float(values.max()) for _, values in columns), 0
    while bits < MOST_BITS and int(0.5 + largest * 2 ** (bits + 1)) < MOST_WEIGHT:
        bits += 1
    kind = np.float32 if bits <= EXACT_IN_FLOAT32_BITS else np.float64
    return _Weights([(first, np.floor(0.5 + values * 2**bits).astype(kind)) for first, values in columns]), bits


@lru_cache(maxsize=64)
def _flow_weights(length: int, new_length: int) -> _Weights:
    return _Weights(_triangles(length, new_length, np.float32))


def _triangles(length: int, new_length: int, kind: type[np.floating]) -> list[_Column]:
    """How much of each pixel is in each new one, by new one: a triangle as wide as two new pixels.

    It is at least as wide as two old ones, and cut at the border, where the rest is made to add up to 1. All is
    computed in the given type, as torch does it.
    """
    scale = kind(length) / kind(new_length)
    reach = max(scale, kind(1))
    columns = []
    for i in range(new_length):
        centre = scale * kind(i + 0.5)
        first = max(int(centre - reach + kind(0.5)), 0)
        stop = min(int(centre + reach + kind(0.5)), length)
        distance = np.abs((np.arange(first, stop, dtype=kind) - centre + kind(0.5)) * (kind(1) / reach))
        triangle = np.where(distance < 1, 1 - distance, kind(0))
        used = np.flatnonzero(triangle)
        first, triangle = first + int(used[0]), triangle[used[0] : used[-1] + 1] / triangle.sum()
        columns.append((first, triangle))
    return columns
