"""An open video and the frames of its clips -> their pixels and flow, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidcls.clips.indices import ClipIndices, frames_behind, runs_of_frames
from vidcls.clips.planning import ClipPlanner
from vidcls.clips.settings import InputSettings
from vidcls.flow.opencv_estimators import Fields
from vidcls.runtime.flow import flow_as_stored
from vidcls.runtime.pixels import Clip
from vidcls.types import VideoRecord
from vidcls.video import VideoReader, open_video
from vidcls.video.in_order import HeldFrames
from vidcls.video.shared_fields import shared_fields_of


class ArrayClips:
    """Reads the clips of a test for every stream that a model sees; flow is computed from the frames.

    The twin of :class:`vidcls.clips.reader.ClipReader`, which hands out tensors.

    Args:
        settings: what a clip is.
    """

    def __init__(self, settings: InputSettings) -> None:
        self.settings = settings
        self.planner = ClipPlanner(settings)

    def test_clips(self, record: VideoRecord) -> list[Clip]:
        """The evenly spaced clips of a video, which is closed before flow is computed.

        Raises:
            DecodeError, DatasetError: the video cannot be read, or is too short and that is refused.
        """
        with open_video(record.source, self.settings.decoder) as video:
            clips = self.planner.test_indices(video, record)
            if "flow" not in self.settings.loaded_kinds.values():
                return self.pixels(video, record, clips)
            held = HeldFrames(video)
            held.decode(sorted(self.planner.frames_of(clips)))
        return self.pixels(held, record, clips)

    def pixels(self, video: VideoReader, record: VideoRecord, clips: Sequence[ClipIndices]) -> list[Clip]:
        """The clips by stream, read from the open video of a record; a frame that several share is decoded once.

        Raises:
            DecodeError: a frame cannot be decoded.
        """
        kinds = self.settings.loaded_kinds
        rows = {
            name: [frames_behind(clip[name], kind) for clip in clips] for name, kind in kinds.items() if kind != "flow"
        }
        distinct = sorted({index for of_stream in rows.values() for indices in of_stream for index in indices})
        found: list[Clip] = [{} for _ in clips]
        if distinct:
            frames = video.pixels(distinct)
            position = {index: k for k, index in enumerate(distinct)}
            for name, of_stream in rows.items():
                for clip, indices in zip(found, of_stream, strict=True):
                    clip[name] = frames if indices == distinct else frames[[position[index] for index in indices]]
        flows = [name for name, kind in kinds.items() if kind == "flow"]
        if flows:
            wanted = sorted({i for clip in clips for name in flows for i in clip[name] if i is not None})
            fields = self._flow(video, record, wanted)
            place = {index: k for k, index in enumerate(wanted)}
            for clip, of_clip in zip(found, clips, strict=True):
                for name in flows:
                    chosen = [place[i] for i in of_clip[name] if i is not None]
                    clip[name] = fields[chosen] if wanted else np.repeat(fields, len(of_clip[name]), axis=0)
        return [{name: clip[name] for name in kinds} for clip in found]

    def _flow(self, video: VideoReader, record: VideoRecord, wanted: list[int]) -> Fields:
        """The fields ``(F, 2, h, w)``; one field without motion of a video of one frame."""
        settings = self.settings.flow_settings
        assert settings is not None
        if not wanted:
            size = settings.stored_size(*video.pixels([0]).shape[-2:])
            return np.zeros((1, 2, *size), dtype=np.float32)
        if (backend := settings.backend(self.settings.decoder)) == self.settings.decoder:
            return _fields_of(video, wanted, self.settings)
        with open_video(record.source, backend) as other:  # of the store that it was trained on, to equal it
            return _fields_of(other, wanted, self.settings)


def _fields_of(video: VideoReader, wanted: list[int], settings: InputSettings) -> Fields:
    flow_settings = settings.flow_settings
    assert flow_settings is not None

    def computed(missing: list[int]) -> Fields:
        runs = runs_of_frames(missing)
        return np.concatenate([flow_as_stored(video.pixels(run), flow_settings) for run in runs])

    shared = shared_fields_of(video)  # every method here is exact alone
    if shared is None:
        return computed(wanted)
    return np.stack(shared.get(wanted, lambda missing: list(computed(missing))))
