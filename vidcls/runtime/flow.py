"""Frames -> the very flow fields that the test of the model was fed, in NumPy and OpenCV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidcls.errors import FlowError
from vidcls.flow.opencv_estimators import OPENCV_METHODS, Fields, zero_where_still
from vidcls.flow.quantisation import codes_from, flow_from
from vidcls.flow.settings import FlowSettings
from vidcls.runtime.resize import resize_frames
from vidcls.video.video_reader import Frames


def check_flow(settings: FlowSettings, path: Path) -> None:
    """Say at once that the flow of a model cannot be had here.

    Raises:
        FlowError: its method is one of PyTorch, or it was made by another program.
        MissingExtraError: its method needs a package that is not installed.
    """
    if settings.method == "imported":
        raise FlowError(
            f"{path}: was trained on flow that another program wrote, which cannot be computed for a new video; train "
            "on flow of scripts/precompute_flow.py"
        )
    if settings.method not in OPENCV_METHODS:
        raise FlowError(
            f"{path}: its flow is of the method {settings.method}, which needs torch: predict with its checkpoint, "
            f"or train on flow of {' or '.join(name for name in OPENCV_METHODS if name != 'tvl1_opencv')}"
        )
    flow_at_own_size(np.zeros((2, 3, 32, 32), dtype=np.uint8), settings)


def flow_as_stored(frames: Frames, settings: FlowSettings) -> Fields:
    """The flow of neighbouring frames as a store of these settings gives it back.

    The twin of :func:`vidcls.flow.on_the_fly.flow_as_stored`.

    Args:
        frames: ``(T, 3, H, W)`` at the video's own size.
        settings: method, bound and size.

    Returns:
        ``(T-1, 2, h, w)`` px per frame at the stored size.
    """
    height, width = settings.stored_size(*frames.shape[-2:])
    fields = flow_at_own_size(resize_frames(frames, (height, width)), settings)
    return flow_from(codes_from(fields, settings.bound_px), settings.bound_px)


def flow_between(pairs: Frames, settings: FlowSettings) -> Fields:
    """Frames ``(2F, 3, H, W)``, two for each field -> flow ``(F, 2, H, W)`` px, cut to the bound.

    The twin of :func:`vidcls.inference.network_input.flow_between`, for models whose flow is estimated of the crop.
    """
    fields = [flow_at_own_size(pairs[2 * t : 2 * t + 2], settings) for t in range(len(pairs) // 2)]
    return np.clip(np.concatenate(fields), -settings.bound_px, settings.bound_px, dtype=np.float32)


def flow_at_own_size(frames: Frames, settings: FlowSettings) -> Fields:
    """The flow of neighbouring frames, ``(T-1, 2, H, W)`` px, without bound."""
    return zero_where_still(OPENCV_METHODS[settings.method](frames, settings), frames)
