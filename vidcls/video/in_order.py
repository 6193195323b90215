"""An open video and the frames that each of its windows needs -> those frames, window by window, each decoded once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.types import VideoInfo
from vidcls.video.reader import Backend, Video, open_video
from vidcls.video.shared_fields import SharedFields, shared_fields_of
from vidcls.video.source import AnyVideo, VideoSource, source_of
from vidcls.video.video_reader import Frames, GivesTensors, VideoReader

MOST_AHEAD_BYTES = 512 * 2**20  # of frames that only later windows need
MOST_DECODED_BYTES = 2**30  # of all frames of a video, for which decord may be left to decode ahead
_IN_ORDER: tuple[Backend, ...] = ("pyav", "torchcodec", "decord")
_NONE: Frames = np.empty((0, 3, 0, 0), dtype=np.uint8)


def open_in_order(source: AnyVideo, backend: Backend | None = None) -> Video:
    """The open video for going through it in order, with work between the frames; to be used in a ``with`` block.

    As :func:`vidcls.video.open_video`, but long videos are read by PyAV first: decord decodes on while nobody asks, and
    keeps all frames up to the end of the file in memory (seen with decord2 3.4).

    Args:
        source: the video, as for ``open_video``.
        backend: the one decoder to use; None chooses.

    Raises:
        DecodeError, MissingExtraError: as ``open_video``.
    """
    found = source_of(source)
    video = open_video(found, backend)
    if backend is not None or not decodes_ahead(video):
        return video
    video.close()
    return Video(found, _IN_ORDER)


def decodes_ahead(video: Video) -> bool:
    """Whether an open video may fill the memory while nobody asks for its frames: a long one that decord reads.

    Raises:
        DecodeError: no decoder can read the file, which is closed then.
    """
    if video.backend != "decord":
        return False
    try:
        info = video.info
    except DecodeError:
        video.close()
        raise
    return info.num_frames * info.height_px * info.width_px * 3 > MOST_DECODED_BYTES


@contextmanager
def open_to_share(video: AnyVideo, backend: Backend | None = None) -> Iterator[Video | VideoSource]:
    """The open video, for several who read it in turn; its source where it cannot stay open, since it decodes ahead.

    Raises:
        DecodeError, MissingExtraError: as ``open_video``.
    """
    source = source_of(video)
    with open_video(source, backend) as opened:
        if not decodes_ahead(opened):
            yield opened
            return
    yield source


@contextmanager
def shared(video: Video | AnyVideo, open_source: Callable[[VideoSource], Video]) -> Iterator[Video]:
    """The video that is open already, which stays open; any other is opened, and closed in the end."""
    if isinstance(video, Video):
        yield video
        return
    with open_source(source_of(video)) as opened:
        yield opened


class HeldFrames(GivesTensors):
    """Some frames of an open video, in memory, behind the protocol of the decoders.

    Args:
        video: the open video, which is asked for everything else.
    """

    def __init__(self, video: VideoReader) -> None:
        self._video = video
        self.shared_fields = shared_fields_of(video)
        """The flow that windows of the video have in common; None where it is computed for each."""
        self._last: tuple[dict[int, int], Frames] = ({}, _NONE)  # places in what was decoded last, and that
        self._by_index: dict[int, NDArray[np.uint8]] = {}  # (3, H, W) each

    @property
    def num_frames(self) -> int:
        """Of the whole video."""
        return self._video.num_frames

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._video.fps

    @property
    def info(self) -> VideoInfo:
        """All facts."""
        return self._video.info

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame of the whole video is shown."""
        return self._video.frame_seconds

    @property
    def held(self) -> Collection[int]:
        """The indices of the frames that are in memory."""
        return self._by_index.keys()

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8; all of them must be held."""
        places, frames = self._last
        if all(index in places for index in indices):  # in the memory layout in which the decoder gave them
            return frames[[places[index] for index in indices]]
        return np.stack([self._by_index[index] for index in indices])

    def close(self) -> None:
        """Let go of the frames; the video stays open."""
        self._last = ({}, _NONE)
        self._by_index.clear()

    def decode(self, indices: Sequence[int]) -> None:
        """Take more frames from the video, in rising order."""
        frames = self._video.pixels(indices)
        self._last = ({index: place for place, index in enumerate(indices)}, frames)
        self._by_index.update(zip(indices, frames, strict=True))

    def keep(self, wanted: Collection[int]) -> None:
        """Let go of all frames but these."""
        self._by_index = {index: frame for index, frame in self._by_index.items() if index in wanted}


def in_order(
    video: VideoReader, needed: Iterable[Collection[int]], *, most_ahead_bytes: int = MOST_AHEAD_BYTES
) -> Iterator[HeldFrames]:
    """For each window the frames that it needs, decoded in order of time through the whole video.

    Frames that a window passes on the way and a later one needs are kept for that, so that windows may overlap and no
    decoder has to go back. Frames that none needs are left to the decoder to skip.

    Args:
        video: the open video.
        needed: the indices of the frames of each window, the windows in order of time; at least one in each.
        most_ahead_bytes: of frames kept for later windows; where windows overlap so much that this is not enough, some
            are decoded again.

    Raises:
        DecodeError: a frame cannot be decoded; the windows before it were handed out.
    """
    coming = iter(needed)
    ahead: deque[frozenset[int]] = deque()
    held = HeldFrames(video)
    held.shared_fields = SharedFields()
    frame_bytes = 0
    while True:
        if not ahead:
            following = next(coming, None)
            if following is None:
                return
            ahead.append(frozenset(following))
        window = ahead.popleft()
        wanted = set(window)
        last = max(window)
        if not frame_bytes:
            info = video.info
            frame_bytes = 3 * info.height_px * info.width_px
        most_frames = len(window) + most_ahead_bytes // frame_bytes
        for later in _starting_before(last, ahead, coming):
            on_the_way = {index for index in later if index <= last}
            if len(wanted | on_the_way) > most_frames:
                break
            wanted |= on_the_way
        held.keep(wanted)
        missing = sorted(wanted.difference(held.held))
        if missing:
            held.decode(missing)
        yield held


def _starting_before(
    last: int, ahead: deque[frozenset[int]], coming: Iterator[Collection[int]]
) -> Iterator[frozenset[int]]:
    """The windows to come that need a frame up to ``last``; takes them from ``coming`` into ``ahead`` as needed."""
    yield from (window for window in tuple(ahead) if min(window) <= last)
    while not ahead or min(ahead[-1]) <= last:
        following = next(coming, None)
        if following is None:
            return
        ahead.append(frozenset(following))
        if min(ahead[-1]) <= last:
            yield ahead[-1]
