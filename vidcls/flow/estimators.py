"""Frames -> flow fields: one function for every method.

::

    frame   0     1     2     3          T frames, T - 1 fields
    field      0     1     2             field t leads from frame t to frame t + 1
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vidcls.flow.opencv_estimators import OPENCV_METHODS, Fields
from vidcls.flow.raft_estimator import estimate_raft, raft_of_pairs
from vidcls.flow.settings import COMPUTED_METHODS, FlowMethod, FlowSettings
from vidcls.flow.tvl1 import estimate_tvl1_torch, tvl1_of_pairs
from vidcls.video.video_reader import Frames


def _of_tensors(method: Callable[[Frames, FlowSettings], Fields]) -> Callable[[Tensor, FlowSettings], Tensor]:
    """A method in NumPy as one of tensors."""
    return lambda frames, settings: torch.from_numpy(method(frames.cpu().numpy(), settings))


METHODS: dict[FlowMethod, Callable[[Tensor, FlowSettings], Tensor]] = {
    **{name: _of_tensors(method) for name, method in OPENCV_METHODS.items()},
    "tvl1": estimate_tvl1_torch,
    "raft": estimate_raft,
}
_OF_PAIRS: dict[FlowMethod, Callable[[Tensor, Tensor, FlowSettings], Tensor]] = {
    "tvl1": tvl1_of_pairs,
    "raft": raft_of_pairs,
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
    flow = METHODS[settings.method](frames, settings)
    return _zero_where_still(flow, frames[:-1], frames[1:])


def _zero_where_still(flow: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Between equal frames nothing moves, whatever a method's rounding makes of them."""
    is_still = (before == after).flatten(1).all(dim=1).to(flow.device)
    return flow.masked_fill(is_still[:, None, None, None], 0.0)


def estimate_pairs(before: Tensor, after: Tensor, settings: FlowSettings) -> Tensor:
    """The flow from each frame to the other of its pair, cut to the bound: ``(N, 2, H, W)`` px, where the frames lie.

    Methods in PyTorch run on the device of the frames, in batches on a GPU; those of OpenCV on the CPU, pair by pair.
    Where both frames are equal the flow is zero, whatever the method.

    Args:
        before: ``(N, 3, H, W)`` uint8 RGB.
        after: the same shape.
        settings: method and bound; the size is that of the frames.

    Raises:
        MissingExtraError, FlowError: as in :func:`estimate`.
    """
    if before.shape != after.shape:
        raise ValueError(f"pairs need frames of one shape, got {tuple(before.shape)} and {tuple(after.shape)}")
    if settings.method in _OF_PAIRS:
        flow = _OF_PAIRS[settings.method](before, after, settings)
    else:
        pairs = torch.stack([before, after], dim=1).cpu()  # (N, 2, 3, H, W)
        flow = torch.cat([estimate_by(pair, settings) for pair in pairs]).to(before.device)
    return _zero_where_still(flow.clamp(-settings.bound_px, settings.bound_px), before, after)
