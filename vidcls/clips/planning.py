"""An open video -> which of its frames and fields make its clips; nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from vidcls.clips.indices import ClipIndices, clip_indices, frames_behind
from vidcls.clips.settings import InputSettings
from vidcls.errors import DatasetError
from vidcls.transforms import AS_RECORDED, TimeChange
from vidcls.types import VideoRecord
from vidcls.video.sampling import segment_clips, stride_frames, uniform_views
from vidcls.video.source import VideoSource
from vidcls.video.timing import EvenStarts, FrameTimes, frame_times, frames_of_part
from vidcls.video.video_reader import VideoReader

MOST_TIMES = 100_000  # videos whose times a process keeps
Choice = Callable[[int, Fraction], list[list[int]]]
"""A number of frames and a stride -> the places of the frames of each snippet."""


class ClipPlanner:
    """Chooses the frames of clips for every stream that a model sees.

    Args:
        settings: what a clip is.
    """

    def __init__(self, settings: InputSettings) -> None:
        self.settings = settings
        self._times: dict[VideoSource, tuple[int, FrameTimes]] = {}

    def part_range(self, video: VideoReader, record: VideoRecord) -> tuple[int, int]:
        """The frames ``[first, stop)`` of a record: those of its part, or all.

        Raises:
            DatasetError: the part is beyond the end of the video, or has no frame.
        """
        if record.part is None:
            return 0, video.num_frames
        try:
            return frames_of_part(record.part, video.num_frames, lambda: self._known_times(video, record))
        except DatasetError as error:
            raise DatasetError(f"{record.source}: {error}") from error

    def test_indices(
        self, video: VideoReader, record: VideoRecord, *, frame_range: tuple[int, int] | None = None
    ) -> list[ClipIndices]:
        """Which frames the clips of a test are made of: evenly spaced in a record, or in frames ``[start, stop)``.

        With several snippets the snippets are spaced evenly, and dealt to the clips in turn.

        Raises:
            DatasetError: the video is too short for a clip, and that is refused.
        """
        clip, short, num_clips = self.settings.clip, self.settings.short_videos, self.settings.test_clips

        def choose(num_frames: int, stride: Fraction) -> list[list[int]]:
            if clip.num_snippets > 1 and num_clips == 1:  # the middle of each segment
                return segment_clips(num_frames, clip.num_snippets, clip.clip_len, stride, generator=None, short=short)
            return uniform_views(num_frames, num_clips * clip.num_snippets, clip.clip_len, stride, short=short)

        whole = self.part_range(video, record)
        snippets = self._chosen(video, record, frame_range or whole, choose)
        return [self._indices(record, snippets[k::num_clips], whole) for k in range(num_clips)]

    def one_clip(
        self, video: VideoReader, record: VideoRecord, choose: Choice, change: TimeChange = AS_RECORDED
    ) -> ClipIndices:
        """A clip of the snippets that are chosen among all frames, of the video as it is played.

        Raises:
            DatasetError: the video is too short for a clip, and that is refused.
        """
        whole = self.part_range(video, record)
        return self._indices(record, self._chosen(video, record, whole, choose, change), whole, change)

    def frames_of(self, clips: Sequence[ClipIndices], *, has_stored_flow: bool = False) -> set[int]:
        """All frames of the video that are decoded for these clips.

        Args:
            clips: of the video.
            has_stored_flow: whether flow is read and not computed from frames.
        """
        kinds = self.settings.loaded_kinds
        decoded = [name for name, kind in kinds.items() if kind != "flow" or not has_stored_flow]
        found = {index for clip in clips for name in decoded for index in frames_behind(clip[name], kinds[name])}
        return found or {0}

    def sound_starts(
        self, video: VideoReader, record: VideoRecord, frames: Sequence[int], seconds: float
    ) -> list[float]:
        """When the sound of each snippet of a clip begins, so that its middle is that of the frames of the snippet.

        Args:
            video: open.
            record: it.
            frames: of all snippets, one after the other.
            seconds: how long the sound lasts.
        """
        clip_len = self.settings.clip.clip_len
        snippets = [frames[k : k + clip_len] for k in range(0, len(frames), clip_len)]
        spans = [self.shown_seconds(video, record, min(snippet), max(snippet) + 1) for snippet in snippets]
        return [(start + end - seconds) / 2 for start, end in spans]

    def shown_seconds(self, video: VideoReader, record: VideoRecord, first: int, stop: int) -> tuple[float, float]:
        """From when to when the frames ``[first, stop)`` are shown, in seconds after the first frame of the video."""
        times = self._known_times(video, record)
        return times.starts[first], times.starts[stop] if stop < video.num_frames else times.end_seconds

    def _chosen(
        self,
        video: VideoReader,
        record: VideoRecord,
        frame_range: tuple[int, int],
        choose: Choice,
        change: TimeChange = AS_RECORDED,
    ) -> list[list[int]]:
        """The frames of each snippet, of which ``choose`` says the places among those of the range.

        A stride in seconds counts in the time of the video, which in one of variable rate is not that of its frames.
        """
        first, stop = frame_range
        shown: Sequence[int] = range(first, stop)
        fps = video.fps
        try:
            times = None if self.settings.stride_seconds is None else self._uneven_times(video, record)
            if times is not None:
                shown, fps = times.evenly(first, stop)
            stride = stride_frames(self.settings.clip.stride, self.settings.stride_seconds, fps) * change.speed
            shown = shown[::-1] if change.is_reversed else shown
            return [[shown[place] for place in snippet] for snippet in choose(stop - first, stride)]
        except DatasetError as error:
            raise DatasetError(f"{record.source}: {error}") from error

    def _uneven_times(self, video: VideoReader, record: VideoRecord) -> FrameTimes | None:
        """When the frames of a video are shown; None where they are shown evenly."""
        if video.fps <= 0:
            return None
        times = self._known_times(video, record)
        return None if times.is_even else times

    def _known_times(self, video: VideoReader, record: VideoRecord) -> FrameTimes:
        """When the frames of a video are shown; kept, for it costs a reading."""
        num_frames, times = self._times.get(record.source, (-1, None))
        if times is None or num_frames != video.num_frames:
            if len(self._times) >= MOST_TIMES:
                self._times.clear()
            times = frame_times(video)
            if times.is_even:  # which takes no memory then
                times = replace(times, starts=EvenStarts(video.num_frames, video.fps))
            self._times[record.source] = video.num_frames, times
        return times

    def _indices(
        self,
        record: VideoRecord,
        snippets: Sequence[list[int]],
        frames: tuple[int, int],
        change: TimeChange = AS_RECORDED,
    ) -> ClipIndices:
        streams, clip, short = self.settings.streams, self.settings.clip, self.settings.short_videos
        try:
            return clip_indices(streams, snippets, frames, clip, short, change=change)
        except DatasetError as error:
            raise DatasetError(f"{record.source}: {error}") from error
