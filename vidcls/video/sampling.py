"""A number of frames -> the indices of the frames to read, in integer arithmetic only.

A clip of ``clip_len`` frames, ``stride`` apart, starting at frame s, is ``s + floor(k * stride)`` for k = 0, 1, ...::

    clip_len 4, stride 2, start 3       0 1 2 [3] 4 [5] 6 [7] 8 [9] 10 11
                                               |<-- span 7 -->|

Functions that draw take a ``torch.Generator``, so the same generator state gives the same clip everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from vidcls.errors import DatasetError

if TYPE_CHECKING:
    import torch

ShortPolicy = Literal["loop", "last", "error"]
"""What stands where a video has fewer frames than a clip spans: it starts again, its last frame stays, or an error."""


def stride_frames(stride: int, stride_seconds: float | None, fps: float) -> Fraction:
    """The exact distance in frames between two frames read, above 0; below 1 it makes frames repeat.

    Args:
        stride: distance in frames, used where ``stride_seconds`` is None.
        stride_seconds: distance in seconds; takes the place of ``stride`` where frame rates differ.
        fps: frames per second of the video; used with ``stride_seconds`` only.

    Raises:
        DatasetError: a stride in seconds is asked of a video that states no frame rate.

    >>> stride_frames(2, None, 25.0)
    Fraction(2, 1)
    >>> stride_frames(1, 0.1, 30000 / 1001)
    Fraction(3000, 1001)
    """
    if stride_seconds is None:
        if stride < 1:
            raise ValueError(f"stride is {stride} frames; it must be 1 or more")
        return Fraction(stride)
    if not 0 < stride_seconds < float("inf"):
        raise ValueError(f"stride_seconds is {stride_seconds}; it must be above 0")
    if not 0 < fps < float("inf"):
        raise DatasetError(f"the video states a frame rate of {fps}; pass the stride in frames instead of seconds")
    return _as_written(stride_seconds) * _as_written(fps)


def random_clip(
    num_frames: int,
    clip_len: int,
    stride: Fraction | int,
    *,
    generator: torch.Generator,
    short: ShortPolicy = "loop",
) -> list[int]:
    """The indices of one clip, every start that fits being equally likely; a short video is read from frame 0."""
    num_starts = _num_starts(num_frames, clip_len, stride, short)
    return _clip(_draw(0, num_starts, generator), num_frames, clip_len, stride, short)


def segment_clips(
    num_frames: int,
    num_snippets: int,
    clip_len: int,
    stride: Fraction | int,
    *,
    generator: torch.Generator | None,
    short: ShortPolicy = "loop",
) -> list[list[int]]:
    """The indices of ``num_snippets`` clips, one from each of as many equal segments of the video, in order.

    Segment sampling of Wang et al., "Temporal Segment Networks", ECCV 2016: random within the segment where a generator
    is given (training), its middle where not (testing). As there, the possible starts are cut into segments, so a clip
    longer than a segment reaches into the next one, and clips repeat where there are fewer starts than snippets.

    >>> segment_clips(30, 3, 1, 1, generator=None)
    [[5], [15], [25]]
    """
    if num_snippets < 1:
        raise ValueError(f"num_snippets is {num_snippets}; it must be 1 or more")
    num_starts = _num_starts(num_frames, clip_len, stride, short)
    starts = []
    for i in range(num_snippets):
        first = i * num_starts // num_snippets
        stop = max((i + 1) * num_starts // num_snippets, first + 1)
        middle = (2 * i + 1) * num_starts // (2 * num_snippets)
        starts.append(middle if generator is None else _draw(first, stop, generator))
    return [_clip(start, num_frames, clip_len, stride, short) for start in starts]


def uniform_views(
    num_frames: int, num_views: int, clip_len: int, stride: Fraction | int, *, short: ShortPolicy = "loop"
) -> list[list[int]]:
    """The indices of ``num_views`` evenly spaced clips for testing.

    The first starts at the first frame and the last ends at the last one; a single view is the clip in the middle. All
    views of a short video are the same.

    >>> uniform_views(10, 3, 4, 1)
    [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    """
    if num_views < 1:
        raise ValueError(f"num_views is {num_views}; it must be 1 or more")
    last_start = _num_starts(num_frames, clip_len, stride, short) - 1
    if num_views == 1:
        starts = [last_start // 2]
    else:
        starts = [view * last_start // (num_views - 1) for view in range(num_views)]
    return [_clip(start, num_frames, clip_len, stride, short) for start in starts]


def flow_window(
    middle_frame: int,
    flow_len: int,
    num_frames: int,
    *,
    short: ShortPolicy = "loop",
    step: Fraction | int = 1,
) -> list[int | None]:
    """The indices of ``flow_len`` neighbouring flow fields around an RGB frame; None stands for a field of zeros.

    Field t leads from frame t to frame t + 1, so N frames have N - 1 fields. A window of even length is centred on the
    frame exactly; one of odd length holds one field more after the frame than before it::

        frame         3       4      [5]      6       7
        field             3       4       5       6
        flow_len 2                |---4---|---5---|        two fields meet in frame 5
        flow_len 1                        |---5---|

    At the ends of the video the window moves inward. With fewer fields than ``flow_len`` the policy ``short`` goes over
    the fields, from field 0 on. One frame alone has no field: all are None. ``step`` is the distance in fields from one
    to the next, other than 1 in a video that is played at another speed.

    >>> flow_window(5, 4, 20), flow_window(0, 4, 20), flow_window(19, 4, 20)
    ([3, 4, 5, 6], [0, 1, 2, 3], [15, 16, 17, 18])
    >>> flow_window(1, 4, 3, short="last"), flow_window(0, 2, 1)
    ([0, 1, 1, 1], [None, None])

    Raises:
        DatasetError: there are too few fields and ``short`` is "error".
    """
    if flow_len < 1:
        raise ValueError(f"flow_len is {flow_len}; it must be 1 or more")
    if not 0 <= middle_frame < num_frames:
        raise ValueError(f"middle_frame is {middle_frame}; the video has the frames 0 to {num_frames - 1}")
    if step <= 0:
        raise ValueError(f"step is {step} fields; it must be above 0")
    num_fields = num_frames - 1
    span = int((flow_len - 1) * step) + 1
    if num_fields < span and short == "error":
        raise DatasetError(
            f"the video has {num_fields} flow fields, {span} are needed; "
            "use a shorter flow_len, or short_videos (--data.short_videos) loop or last"
        )
    if num_fields == 0:
        return [None] * flow_len
    start = min(max(middle_frame - int(flow_len // 2 * step), 0), max(num_fields - span, 0))
    return [_WRAPS[short](start + int(k * step), num_fields) for k in range(flow_len)]


def windows(num_frames: int, window_len: int, hop: int) -> list[tuple[int, int]]:
    """The half-open ranges of frames ``[start, stop)`` that cut a long video, ``hop`` frames apart.

    Every frame lies in a window, and only the last one reaches the end; it may be shorter.

    >>> windows(10, 4, 3), windows(10, 4, 4)
    ([(0, 4), (3, 7), (6, 10)], [(0, 4), (4, 8), (8, 10)])
    """
    _check_num_frames(num_frames)
    if not 1 <= hop <= window_len:
        raise ValueError(f"hop is {hop} frames; it must be from 1 to the window's {window_len}, or frames are left out")
    num_hops = max(0, -(-(num_frames - window_len) // hop))  # rounded up
    return [(i * hop, min(i * hop + window_len, num_frames)) for i in range(num_hops + 1)]


_WRAPS: dict[ShortPolicy, Callable[[int, int], int]] = {
    "loop": lambda index, length: index % length,
    "last": lambda index, length: min(index, length - 1),
    "error": lambda index, length: index % length,  # never wraps: what is too long was refused before
}


def _clip(start: int, num_frames: int, clip_len: int, stride: Fraction | int, short: ShortPolicy) -> list[int]:
    return [_WRAPS[short](start + int(k * stride), num_frames) for k in range(clip_len)]


def _num_starts(num_frames: int, clip_len: int, stride: Fraction | int, short: ShortPolicy) -> int:
    """How many starts a clip can have; 1, frame 0, for a video shorter than the clip's span."""
    _check_num_frames(num_frames)
    if clip_len < 1:
        raise ValueError(f"clip_len is {clip_len} frames; it must be 1 or more")
    if stride <= 0:
        raise ValueError(f"stride is {stride} frames; it must be above 0")
    if short not in _WRAPS:
        raise ValueError(f"short is {short!r}; allowed are {', '.join(_WRAPS)}")
    span = int((clip_len - 1) * stride) + 1
    if span > num_frames and short == "error":
        raise DatasetError(
            f"the video has {num_frames} frames, a clip of {clip_len} frames with stride {stride} spans {span}; "
            "use a shorter clip, or short_videos (--data.short_videos) loop or last"
        )
    return max(num_frames - span + 1, 1)


def _check_num_frames(num_frames: int) -> None:
    if num_frames < 1:
        raise ValueError(f"num_frames is {num_frames}; it must be 1 or more")


def _draw(low: int, stop: int, generator: torch.Generator) -> int:
    import torch  # whoever draws has imported it to make the generator

    return int(torch.randint(low, stop, (), generator=generator))


def _as_written(number: float) -> Fraction:
    """0.1 as 1/10 and 29.97002997 as 30000/1001: the binary fractions beside them may have a floor that is one less."""
    return Fraction(number).limit_denominator(1_000_000)
