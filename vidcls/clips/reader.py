"""Frame indices of one video -> RGB and flow of its clips, at the sizes at which they lie on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from vidcls.clips.indices import ClipIndices, frames_behind, in_changed_time, runs_of_frames
from vidcls.clips.log_mel import COLUMNS_PER_SECOND, NUM_BANDS, log_mel, num_columns, span_of_columns
from vidcls.clips.planning import Choice, ClipPlanner
from vidcls.clips.settings import InputSettings
from vidcls.errors import DecodeError, FlowError
from vidcls.flow import FlowSettings, FlowSource, flow_as_stored
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.transforms import AS_RECORDED, ClipPixels, TimeChange
from vidcls.types import VideoRecord, sees
from vidcls.video import (
    Video,
    VideoReader,
    open_video,
    random_clip,
    segment_clips,
)
from vidcls.video.in_order import HeldFrames, open_in_order
from vidcls.video.shared_fields import shared_fields_of
from vidcls.video.sound import sound_between
from vidcls.video.source import VideoSource


class ClipReader:
    """Reads the clips of a video for every stream that a model sees.

    Args:
        settings: what a clip is.
        flow_source: where stored flow lies; None computes it from the frames, through the store's own quantisation, so
            that the values are the same.
        known_bad: files that are not opened but refused, with the reasons; what is found out meanwhile is added.
        tally: is told how many values the bound of the flow cuts, or cut when it was stored.
    """

    def __init__(
        self,
        settings: InputSettings,
        flow_source: FlowSource | None = None,
        known_bad: dict[VideoSource, str] | None = None,
        tally: SaturationTally | None = None,
    ) -> None:
        self.settings = settings
        self.flow_source = flow_source
        self.known_bad = {} if known_bad is None else known_bad
        self.tally = tally
        self.planner = ClipPlanner(settings)

    def train_clip(self, record: VideoRecord, generator: torch.Generator) -> ClipPixels:
        """One clip at random (one snippet of each segment where there are several snippets)."""
        return self.train_clips(record, [generator])[0]

    def train_clips(
        self,
        record: VideoRecord,
        generators: Sequence[torch.Generator],
        changes: Sequence[TimeChange] | None = None,
    ) -> list[ClipPixels]:
        """A random clip for each generator: the video is opened once, and a frame that several share decoded once.

        Args:
            record: the video.
            generators: of the draws, one for each clip.
            changes: how the video is played for each clip; as filmed by default.
        """
        played = [AS_RECORDED] * len(generators) if changes is None else changes

        def planned(video: VideoReader) -> list[ClipIndices]:
            draws = zip(generators, played, strict=True)
            return [self.planner.one_clip(video, record, self._at_random(draw), change) for draw, change in draws]

        kinds, clips = self.settings.loaded_kinds, self._read(record, planned)
        return [
            {name: in_changed_time(stream, kinds[name], change) for name, stream in clip.items()}
            for clip, change in zip(clips, played, strict=True)
        ]

    def _at_random(self, generator: torch.Generator) -> Choice:
        clip, short = self.settings.clip, self.settings.short_videos

        def choose(num_frames: int, stride: Fraction) -> list[list[int]]:
            if clip.num_snippets == 1:
                return [random_clip(num_frames, clip.clip_len, stride, generator=generator, short=short)]
            return segment_clips(num_frames, clip.num_snippets, clip.clip_len, stride, generator=generator, short=short)

        return choose

    def test_clips(self, record: VideoRecord, *, frame_range: tuple[int, int] | None = None) -> list[ClipPixels]:
        """The ``test_clips`` evenly spaced clips of a video, or of its frames ``[start, stop)``."""
        return self._read(record, lambda video: self.test_indices(video, record, frame_range=frame_range))

    def _read(self, record: VideoRecord, planned: Callable[[VideoReader], list[ClipIndices]]) -> list[ClipPixels]:
        """The planned clips of a video, which is closed before flow is computed.

        decord decodes on while nobody asks, and would fill the memory with the rest of a long video meanwhile.
        """
        with self.open(record) as video:
            clips = planned(video)
            if not self._computes_flow:
                return self.pixels(video, record, clips)
            held = HeldFrames(video)
            held.decode(sorted(self.frames_of(clips)))
            if sees(self.settings.streams, "audio"):
                self.planner.shown_seconds(video, record, 0, 1)  # the times of its frames, while it is open
        return self.pixels(held, record, clips)

    @property
    def _computes_flow(self) -> bool:
        return "flow" in self.settings.loaded_kinds.values() and self.flow_source is None

    def check_known(self, record: VideoRecord) -> None:
        """DecodeError where the video is known to be unreadable; it is not opened."""
        if (reason := self.known_bad.get(record.source)) is not None:
            raise DecodeError(f"{record.source}: is known to be unreadable ({reason})", reason=reason)

    def open(self, record: VideoRecord, *, in_order: bool = False) -> Video:
        """The video of a record, to be used in a ``with`` block.

        Args:
            record: the video.
            in_order: it is to be gone through as a whole; see :func:`vidcls.video.in_order.open_in_order`.

        Raises:
            DecodeError: it cannot be opened, or is known to be unreadable.
        """
        self.check_known(record)
        return (open_in_order if in_order else open_video)(record.source, self.settings.decoder)

    def test_indices(
        self, video: VideoReader, record: VideoRecord, *, frame_range: tuple[int, int] | None = None
    ) -> list[ClipIndices]:
        """Which frames the clips of a test are made of: evenly spaced in a video, or in its frames ``[start, stop)``.

        With several snippets the snippets are spaced evenly, and dealt to the clips in turn.

        Raises:
            DatasetError: the video is too short for a clip, and that is refused.
        """
        return self.planner.test_indices(video, record, frame_range=frame_range)

    def frames_of(self, clips: Sequence[ClipIndices]) -> set[int]:
        """All frames of the video that :meth:`pixels` decodes for these clips."""
        return self.planner.frames_of(clips, has_stored_flow=self.flow_source is not None)

    def pixels(self, video: VideoReader, record: VideoRecord, clips: Sequence[ClipIndices]) -> list[ClipPixels]:
        """The clips themselves by stream, read from the open video of a record.

        A frame that several clips or streams share is decoded once.

        Raises:
            DecodeError: a frame cannot be decoded.
            FlowError: stored flow is missing or does not fit the video.
        """
        kinds = self.settings.loaded_kinds
        fields = [{name: clip[name] for name, kind in kinds.items() if kind == "flow"} for clip in clips]
        frames = [
            {name: frames_behind(clip[name], kind) for name, kind in kinds.items() if kind not in ("flow", "audio")}
            for clip in clips
        ]
        sounds = [{name: clip[name] for name, kind in kinds.items() if kind == "audio"} for clip in clips]
        found = zip(
            self._frames(video, frames),
            self._flow(video, record, fields),
            self._sound(video, record, sounds),
            strict=True,
        )
        return [
            {name: (of_frames | of_fields | heard)[name] for name in kinds} for of_frames, of_fields, heard in found
        ]

    def _frames(self, video: VideoReader, clips: Sequence[Mapping[str, list[int]]]) -> list[ClipPixels]:
        """RGB ``(T, 3, H, W)`` by stream, of every clip."""
        distinct = sorted({index for clip in clips for indices in clip.values() for index in indices})
        if not distinct:
            return [{} for _ in clips]
        frames = video.frames(distinct)
        position = {index: k for k, index in enumerate(distinct)}

        def chosen(indices: list[int]) -> Tensor:
            return frames if indices == distinct else frames[[position[index] for index in indices]]

        return [{name: chosen(indices) for name, indices in clip.items()} for clip in clips]

    def _sound(self, video: VideoReader, record: VideoRecord, clips: Sequence[ClipIndices]) -> list[ClipPixels]:
        """Log-mel spectrograms ``(S, 1, M, N)`` by stream, of every clip; NaN where the video has no sound track.

        Of a part of a video, sound beyond its ends is not heard.
        """
        seconds = self.settings.sound_seconds
        columns, num_snippets = num_columns(seconds), self.settings.clip.num_snippets
        of_frames = {tuple(indices) for clip in clips for indices in clip.values()}
        if not of_frames:
            return [{} for _ in clips]
        ends = None
        if record.part is not None:
            ends = self.planner.shown_seconds(video, record, *self.planner.part_range(video, record))
        found: dict[tuple[int | None, ...], Tensor] = {}
        for indices in of_frames:
            frames = [index for index in indices if index is not None]
            starts = self.planner.sound_starts(video, record, frames, columns / COLUMNS_PER_SECOND)
            heard = sound_between(record.source, [span_of_columns(start, columns) for start in starts], within=ends)
            if heard is None:
                found[indices] = torch.full((num_snippets, 1, NUM_BANDS, columns), torch.nan)
            else:
                found[indices] = torch.from_numpy(np.stack([log_mel(samples) for samples in heard])[:, None])
        return [{name: found[tuple(indices)] for name, indices in clip.items()} for clip in clips]

    def _flow(self, video: VideoReader, record: VideoRecord, clips: Sequence[ClipIndices]) -> list[ClipPixels]:
        """Flow ``(F, 2, h, w)`` by stream, stored or computed, of every clip."""
        distinct = sorted({i for clip in clips for indices in clip.values() for i in indices if i is not None})
        if not distinct:  # no stream of flow, or a video of one frame: nothing moves
            return [{name: self._no_motion(video, len(clip[name])) for name in clip} for clip in clips]
        if self.flow_source is not None:
            try:
                fields = self.flow_source.fields(record, distinct)
            except IndexError as error:  # folders of other tools say nothing of the video that they were made from
                raise FlowError(
                    f"{record.source}: has {video.num_frames} frames, but its stored flow is shorter ({error}): "
                    "compute it again"
                ) from error
            if self.tally is not None:
                self.tally.add(Saturation.of_stored(fields, self.flow_source.settings.bound_px))
        else:
            fields = self._computed(video, record, distinct)
        position = {index: k for k, index in enumerate(distinct)}

        def chosen(indices: list[int | None]) -> Tensor:
            return fields[[position[index] for index in indices if index is not None]]

        return [{name: chosen(indices) for name, indices in clip.items()} for clip in clips]

    def _computed(self, video: VideoReader, record: VideoRecord, distinct: list[int]) -> Tensor:
        settings = self.settings.flow_settings
        assert settings is not None
        if (backend := settings.backend(self.settings.decoder)) != self.settings.decoder:  # of a store, to equal it
            with open_video(record.source, backend) as other:
                return self._computed_of(other, settings, distinct)
        return self._computed_of(video, settings, distinct)

    def _computed_of(self, video: VideoReader, settings: FlowSettings, distinct: list[int]) -> Tensor:
        def computed(missing: list[int]) -> Tensor:
            runs = runs_of_frames(missing)
            return torch.cat([flow_as_stored(video.frames(run), settings, tally=self.tally) for run in runs])

        shared = shared_fields_of(video) if settings.is_exact_alone else None
        return computed(distinct) if shared is None else torch.stack(shared.get(distinct, computed))

    def _no_motion(self, video: VideoReader, num_fields: int) -> Tensor:
        assert self.settings.flow_settings is not None
        size = self.settings.flow_settings.stored_size(*video.frames([0]).shape[-2:])
        return torch.zeros(num_fields, 2, *size)
