"""Flow fields <-> 8-bit codes <-> bytes, each field by itself and without loss after the rounding.

::

    flow px   -bound  ...  -step    0   +step  ...  +bound        step = bound / 127
    code         1    ...   127   128    129   ...    255         0 is never written

The code of zero decodes to exactly 0, the codes lie symmetrically about it, and the error is at most half a step.
A field's bytes are zlib over the differences of each pixel from the one above it. ``benchmarks/flow_store.py`` compares
this with pictures and lossless video: the bytes of JPEG at quality 95 on mostly still clips, at most twice those on
moving ones, and no error; smaller and faster to read than PNG.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from vidcls.flow.quantisation import ZERO_CODE, codes_from, flow_from

_ZLIB_LEVEL = 6


def quantize(flow: Tensor, bound_px: float) -> Tensor:
    """Codes 1 to 255 of the same shape, uint8; displacements beyond the bound are cut to it.

    Raises:
        FlowError: the flow is not finite.
    """
    return torch.from_numpy(codes_from(flow.float().numpy(), bound_px))


def dequantize(codes: Tensor, bound_px: float) -> Tensor:
    """Float32 pixels of the same shape; the inverse of :func:`quantize` up to half a step."""
    return torch.from_numpy(flow_from(codes.numpy(), bound_px))


def encode_field(codes: Tensor) -> bytes:
    """The bytes of one field's codes, ``(2, H, W)`` uint8."""
    above = np.diff(codes.numpy(), axis=1, prepend=np.uint8(ZERO_CODE))  # wraps around modulo 256
    return zlib.compress(above.tobytes(), _ZLIB_LEVEL)


def decode_field(blob: bytes, height_px: int, width_px: int) -> Tensor:
    """The inverse of :func:`encode_field`, exactly: ``(2, H, W)`` uint8.

    Raises:
        ValueError: the bytes are not those of a field of this size.
    """
    try:
        content = zlib.decompress(blob, bufsize=2 * height_px * width_px)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(content) != 2 * height_px * width_px:
        raise ValueError(f"{len(content)} values for a field of 2x{height_px}x{width_px}")
    differences = np.frombuffer(content, np.uint8).reshape(2, height_px, width_px).copy()
    differences[:, 0] += ZERO_CODE
    return torch.from_numpy(np.cumsum(differences, axis=1, dtype=np.uint8))
