"""OpenCV's estimators: two frames -> one flow field, in NumPy.

Each pair gets a fresh estimator: a DIS object changes its own scales on small frames, so that a field would depend on
the pairs before it. OpenCV works on one thread: loaders and the precomputation are parallel already, and no field can
depend on how it would split a picture. Frames with a side below the method's minimum are continued by their border
pixels (OpenCV raises or crashes on them), and the field is cut back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import MissingExtraError
from vidcls.flow.settings import FlowMethod, FlowSettings
from vidcls.video.video_reader import Frames

Fields = NDArray[np.float32]
"""Flow ``(T, 2, H, W)`` float32 px."""


class _PairEstimator(Protocol):
    """What every dense estimator of OpenCV can do."""

    def calc(self, grey0: np.ndarray, grey1: np.ndarray, flow: None) -> np.ndarray: ...


def estimate_dis(frames: Frames, settings: FlowSettings) -> Fields:
    """Kroeger, Timofte, Dai, Van Gool: Fast optical flow using dense inverse search, ECCV 2016."""
    cv2 = _opencv()

    return _by_pairs(frames, settings, lambda: cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))


def estimate_farneback(frames: Frames, settings: FlowSettings) -> Fields:
    """Farneback: Two-frame motion estimation based on polynomial expansion, SCIA 2003."""
    cv2 = _opencv()

    p = settings.parameters()
    return _by_pairs(
        frames,
        settings,
        lambda: cv2.FarnebackOpticalFlow.create(
            numLevels=p["levels"],
            pyrScale=p["pyr_scale"],
            winSize=p["winsize"],
            numIters=p["iterations"],
            polyN=p["poly_n"],
            polySigma=p["poly_sigma"],
        ),
    )


def estimate_tvl1(frames: Frames, settings: FlowSettings) -> Fields:
    """Zach, Pock, Bischof: A duality based approach for realtime TV-L1 optical flow, DAGM 2007, as OpenCV has it."""
    cv2 = _opencv()

    if not hasattr(cv2, "optflow"):
        raise MissingExtraError(
            "flow method tvl1_opencv needs opencv-contrib-python, which holds the same module cv2 as opencv-python: "
            "run `pip uninstall -y opencv-python && pip install opencv-contrib-python`, or choose dis or farneback"
        )
    p = settings.parameters()
    return _by_pairs(
        frames,
        settings,
        lambda: cv2.optflow.DualTVL1OpticalFlow_create(
            tau=p["tau"],
            lambda_=p["lambda"],
            theta=p["theta"],
            nscales=p["scales"],
            warps=p["warps"],
            epsilon=p["epsilon"],
            innnerIterations=p["inner_iterations"],  # three n: OpenCV's own spelling
            outerIterations=p["outer_iterations"],
            scaleStep=p["scale_step"],
            medianFiltering=p["median_px"],
        ),
    )


OPENCV_METHODS: dict[FlowMethod, Callable[[Frames, FlowSettings], Fields]] = {
    "dis": estimate_dis,
    "farneback": estimate_farneback,
    "tvl1_opencv": estimate_tvl1,
}


def zero_where_still(fields: Fields, frames: Frames) -> Fields:
    """Between equal frames nothing moves, whatever a method's rounding makes of them; changed in place.

    Args:
        fields: ``(T-1, 2, H, W)``.
        frames: ``(T, 3, H, W)``, of which they are.
    """
    for t in range(len(fields)):
        if np.array_equal(frames[t], frames[t + 1]):
            fields[t] = 0.0
    return fields


def _by_pairs(frames: Frames, settings: FlowSettings, make_estimator: Callable[[], _PairEstimator]) -> Fields:
    """Field t from frames t and t + 1 alone: ``(T, 3, H, W)`` uint8 -> ``(T-1, 2, H, W)`` float32 px."""
    cv2 = _opencv()

    T, _, H, W = frames.shape
    min_side_px = settings.parameters()["min_side_px"]
    assert isinstance(min_side_px, int)
    pad_bottom, pad_right = max(0, min_side_px - H), max(0, min_side_px - W)
    fields = np.empty((T - 1, 2, H, W), dtype=np.float32)
    previous = None
    with _one_opencv_thread():
        for t, frame in enumerate(frames):
            grey = cv2.cvtColor(np.ascontiguousarray(frame.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)  # (H, W)
            if pad_bottom or pad_right:
                grey = cv2.copyMakeBorder(grey, 0, pad_bottom, 0, pad_right, cv2.BORDER_REPLICATE)
            if previous is not None:
                flow = make_estimator().calc(previous, grey, None)  # (H, W, 2)
                fields[t - 1] = flow[:H, :W].transpose(2, 0, 1)
            previous = grey
    return fields


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """OpenCV's number of threads belongs to the whole process, so it is put back."""
    cv2 = _opencv()

    num_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(num_threads)


def _opencv() -> ModuleType:
    """Imported when used; a plain module, since the type hints of opencv-python lack half of what is called here."""
    import cv2

    return cv2
