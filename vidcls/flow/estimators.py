"""Frames -> flow fields: one function for every method.

::

    frame   0     1     2     3          T frames, T - 1 fields
    field      0     1     2             field t leads from frame t to frame t + 1
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vidcls.flow.opencv_estimators import estimate_dis, estimate_farneback, estimate_tvl1
from vidcls.flow.raft_estimator import estimate_raft
from vidcls.flow.settings import COMPUTED_METHODS, FlowMethod, FlowSettings
from vidcls.flow.tvl1 import estimate_tvl1_torch

METHODS: dict[FlowMethod, Callable[[Tensor, FlowSettings], Tensor]] = {
    "dis": estimate_dis,
    "farneback": estimate_farneback,
    "tvl1": estimate_tvl1_torch,
    "tvl1_opencv": estimate_tvl1,
    "raft": estimate_raft,
}


def estimate(frames: Tensor, method: FlowMethod = "dis", *, weights: str | None = None) -> Tensor:
    """The optical flow between neighbouring frames, ``(T-1, 2, H, W)`` float32 in pixels per frame.

    Channel 0 is x to the right, channel 1 y downwards: where a thing in frame t lies at (x, y), it lies in frame
    t + 1 at (x, y) + field t there. Field t depends on frames t and t + 1 alone, and not on the number of threads.

    Args:
        frames: ``(T, 3, H, W)`` uint8 RGB, at least one.
        method: the estimator, as in :class:`FlowSettings`.
        weights: for raft only, as in :class:`FlowSettings`.

    Raises:
        MissingExtraError: the method needs a package that is not installed.
        FlowError: weights could not be had.
    """
    return estimate_by(frames, FlowSettings(method=method, weights=weights))


def estimate_by(frames: Tensor, settings: FlowSettings) -> Tensor:
    """As :func:`estimate`, with the method of these settings, at the frames' own size and without bound."""
    if frames.ndim != 4 or frames.shape[0] < 1 or frames.shape[1] != 3 or frames.dtype != torch.uint8:
        raise ValueError(
            f"flow needs frames (T, 3, H, W) of uint8 with T at least 1, got {tuple(frames.shape)} of {frames.dtype}"
        )
    if settings.method not in METHODS:
        raise ValueError(
            f"flow of method {settings.method!r} cannot be computed from frames: read it from its store, or choose one "
            f"of {', '.join(COMPUTED_METHODS)}"
        )
    return METHODS[settings.method](frames, settings)
