"""Flow fields <-> 8-bit codes, in NumPy; see :mod:`vidcls.flow.codec`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import FlowError

ZERO_CODE = 128
MAX_CODE_OFFSET = 127


def codes_from(flow: NDArray[np.float32], bound_px: float) -> NDArray[np.uint8]:
    """Codes 1 to 255 of the same shape; displacements beyond the bound are cut to it.

    Raises:
        FlowError: the flow is not finite.
    """
    if not np.isfinite(flow).all():
        raise FlowError(
            "flow holds values that are not finite: the estimate failed on these frames; try another method"
        )
    offsets = np.multiply(flow, np.float32(MAX_CODE_OFFSET / bound_px), dtype=np.float32)
    np.clip(np.rint(offsets, out=offsets), -MAX_CODE_OFFSET, MAX_CODE_OFFSET, out=offsets)
    offsets += ZERO_CODE
    return offsets.astype(np.uint8)


def flow_from(codes: NDArray[np.uint8], bound_px: float) -> NDArray[np.float32]:
    """Float32 pixels of the same shape; the inverse of :func:`codes_from` up to half a step."""
    flow = codes.astype(np.float32)
    flow -= ZERO_CODE
    flow *= np.float32(bound_px / MAX_CODE_OFFSET)
    return flow
