"""A video and its predictions -> the same video with label and score written into it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.outputs import named_output
from vidcls.predict.prediction import Prediction
from vidcls.video import Video, VideoReader, write_video
from vidcls.video.captions import caption
from vidcls.video.in_order import open_in_order, shared
from vidcls.video.reader import Backend
from vidcls.video.source import AnyVideo
from vidcls.video.timing import frame_times
from vidcls.video.writer import DEFAULT_FPS

_CHUNK_BYTES = 32 * 2**20
_DIMMED = 0.4  # brightness of the picture behind the letters


def write_overlay(
    source: AnyVideo | Video, predictions: Sequence[Prediction], output: Path, *, decoder: Backend | None = None
) -> None:
    """Write a copy of a video, without its sound, in which every frame shows the label and score of its moment.

    With several predictions a frame shows the one whose middle is nearest in time. Some 32 MiB of frames are in memory
    at a time. Letters beyond the Latin script are drawn as boxes: Pillow's own font has no others.

    Args:
        source: the video, or one that is open.
        predictions: in order of time.
        output: the file to write.
        decoder: the one decoder that a path is read by; None tries all.

    Raises:
        DecodeError: a frame of the video cannot be read; nothing half-written is left.
        VidclsError: the output cannot be written; nothing half-written is left.
    """
    with shared(source, lambda closed: open_in_order(closed, decoder)) as video:
        fps = video.fps or DEFAULT_FPS
        with named_output(output, option="--overlay"):
            write_video(output, _captioned(video, predictions), fps=fps)


def overlay_path(folder: Path, name: str) -> Path:
    """Where the overlay of the video called ``name`` lies: ``a/x.mp4`` stays, ``a/x.avi`` becomes ``a/x.avi.mp4``."""
    return folder / (name if name.lower().endswith(".mp4") else f"{name}.mp4")


def draw_caption(frames: NDArray[np.uint8], letters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames ``(T, 3, H, W)`` uint8 with the caption ``(h, W)`` over their upper edge, the picture shining through."""
    height_px = len(letters)
    behind = (frames[:, :, :height_px] * np.float32(_DIMMED)).astype(np.uint8)
    return np.concatenate([np.maximum(behind, letters), frames[:, :, height_px:]], axis=2)


def _captioned(video: VideoReader, predictions: Sequence[Prediction]) -> Iterator[NDArray[np.uint8]]:
    """All frames of a video in order, ``(3, H, W)`` uint8 each, with the caption of their moment."""
    middles = [(p.start_seconds + p.end_seconds) / 2 for p in predictions]
    borders = [(before + after) / 2 for before, after in pairwise(middles)]
    shown_at = frame_times(video).starts if borders else [0.0] * video.num_frames
    shown, letters = -1, np.empty((0, 0), dtype=np.uint8)
    for seconds, frame in zip(shown_at, _all_frames(video), strict=True):
        wanted = bisect_right(borders, seconds)
        if wanted != shown:
            shown, letters = wanted, caption(predictions[wanted].caption, frame.shape[1], frame.shape[2])
        yield draw_caption(frame[None], letters)[0]


def _all_frames(video: VideoReader) -> Iterator[NDArray[np.uint8]]:
    start, chunk_len = 0, 1
    while start < video.num_frames:
        frames = video.pixels(range(start, min(start + chunk_len, video.num_frames)))
        yield from frames
        start += len(frames)
        chunk_len = max(1, _CHUNK_BYTES // frames[0].size)
