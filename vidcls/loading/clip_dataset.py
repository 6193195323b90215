"""Records -> samples: one random clip of a video for training, all views of a video for validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, NamedTuple

import torch
from torch.utils.data import Dataset

from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import DecodeError, MissingFlowError, UnreachableError
from vidcls.loading.batches import Skipped, Unread
from vidcls.loading.unchanged_files import UnchangedFiles
from vidcls.loading.worker_watch import WorkerWatch
from vidcls.tasks import Task
from vidcls.transforms import (
    AS_RECORDED,
    ClipPixels,
    TimeChange,
    augmented,
    drawn_time_change,
    label_after,
    train_crop,
)
from vidcls.types import Sample, Target, VideoRecord

BadVideos = Literal["error", "skip"]
BadTestVideos = Literal["wrong", "leave_out", "error"]
WAY_OUT = "look with vidcls data check, or leave such files out with --data.bad_videos skip"


class ClipKey(NamedTuple):
    """All that a training sample depends on."""

    seed: int
    epoch: int
    index: int  # type: ignore[assignment]  # hides the tuple's method of that name
    repeat: int = 0  # of the clips of one video in an epoch

    def derived_seed(self) -> int:
        """A seed in 0 to 2**62 that is as good as independent for every key."""
        words = self if self.repeat else self[:3]  # the first clip of a video is that of a training without repeats
        digest = hashlib.blake2b(repr(tuple(words)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 2


class TrainClips(Dataset[Sample | Skipped]):
    """One random clip for each :class:`ClipKey`; equal keys give equal clips in any process.

    Args:
        records: the training videos.
        task: says what the target of a label is.
        reader: reads the clips.
        bad_videos: ``error`` raises for a video that cannot be read or has no stored flow; ``skip`` leaves it out of
            its batch, by name. One that its server does not give is always an error: it says nothing of the video.
        watch: is told which video is being read.
        unchanged: sees to it that each file is the one that it was.
        is_deferred: leave all but the crop to :func:`augmented_batch`, which then finds in the sample what to do.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        task: Task,
        reader: ClipReader,
        *,
        bad_videos: BadVideos = "error",
        watch: WorkerWatch | None = None,
        unchanged: UnchangedFiles | None = None,
        is_deferred: bool = False,
    ) -> None:
        self.records = records
        self.task = task
        self.reader = reader
        self.bad_videos = bad_videos
        self.watch = watch or WorkerWatch(0, None)
        self.unchanged = unchanged
        self.is_deferred = is_deferred

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, index: int) -> str:
        """The file of a video."""
        return self.records[index].source.name

    def refuse(self, index: int, reason: str) -> None:
        """Do not open a video again: it cannot be read, for this reason."""
        self.reader.known_bad[self.records[index].source] = reason

    def __getitem__(self, key: ClipKey) -> Sample | Skipped:
        return self._read([key])[0]

    def __getitems__(self, keys: Sequence[ClipKey]) -> list[Sample | Skipped]:
        """The samples of a batch, whose loader asks here; a video of several clips is opened once.

        A video that is left out counts once, whatever the number of its clips.
        """
        by_video: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            by_video.setdefault(key.index, []).append(place)
        found: dict[int, Sample | Skipped] = {}
        for places in by_video.values():
            clips = self._read([keys[k] for k in places]) if len(places) > 1 else [self[keys[places[0]]]]
            found |= dict(zip(places, clips, strict=False))
        return [found[place] for place in sorted(found)]

    def _read(self, keys: Sequence[ClipKey]) -> list[Sample | Skipped]:
        """The clips of one video, or what stands for it."""
        index = keys[0].index
        record = self.records[index]
        generators = [torch.Generator().manual_seed(key.derived_seed()) for key in keys]
        changes = [self._time_change(record, key) for key in keys]
        try:
            self._check_known(record)
            with self.watch.reading(index), _unchanged(self.unchanged, index, record):
                clips = self.reader.train_clips(record, generators, changes)
        except (DecodeError, MissingFlowError) as error:
            if self.bad_videos == "error" or isinstance(error, UnreachableError):
                raise
            return [{"skipped": record.source.name}]
        return [
            self._sample(record, key, pixels, change) for key, pixels, change in zip(keys, clips, changes, strict=True)
        ]

    def _time_change(self, record: VideoRecord, key: ClipKey) -> TimeChange:
        transform = self.reader.settings.transform
        if not transform.changes_time:
            return AS_RECORDED
        generator = torch.Generator().manual_seed(key.derived_seed() + 2)  # 1 is the crop's
        return drawn_time_change(transform, record.classes, generator=generator)

    def _sample(self, record: VideoRecord, key: ClipKey, pixels: ClipPixels, change: TimeChange) -> Sample:
        transform, kinds = self.reader.settings.transform, self.reader.settings.loaded_kinds
        pixels, drawn = train_crop(pixels, kinds, transform, seed=key.derived_seed() + 1)
        classes = [label_after(name, transform, change) for name in record.classes]
        if drawn.flipped:
            classes = [transform.swapped_label(name) for name in classes]
        target = self.task.target(classes)
        if not self.is_deferred:
            return _sample([augmented(pixels, kinds, drawn)], target, key.index, views=False)
        sample = _sample([pixels], target, key.index, views=False)
        sample["augmentation"] = drawn
        return sample

    def _check_known(self, record: VideoRecord) -> None:
        try:
            self.reader.check_known(record)
        except DecodeError as error:
            raise DecodeError(f"{error}: {WAY_OUT}", reason=error.reason) from error


class OrderedVideos(Dataset[Sample | Skipped | Unread]):
    """All views of each video, ``(V, C, T, H, W)``, in a fixed order.

    Args:
        records: the videos.
        task: says what the target of a label is.
        reader: reads the clips.
        views: False gives ``(C, T, H, W)`` of the first view alone, for validation.
        bad_videos: what a video that cannot be read, or has no stored flow, comes to: ``error`` raises, ``skip`` leaves
            it out by name, ``wrong`` and ``leave_out`` hand on its number and the reason, to be counted or not. One
            that its server does not give is always an error.
        watch: is told which video is being read.
        unchanged: sees to it that each file is the one that it was.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        task: Task,
        reader: ClipReader,
        *,
        views: bool = True,
        bad_videos: BadVideos | BadTestVideos = "error",
        watch: WorkerWatch | None = None,
        unchanged: UnchangedFiles | None = None,
    ) -> None:
        self.records = records
        self.task = task
        self.reader = reader
        self.views = views
        self.bad_videos = bad_videos
        self.watch = watch or WorkerWatch(0, None)
        self.unchanged = unchanged

    def __len__(self) -> int:
        return len(self.records)

    def path_of(self, index: int) -> str:
        """The file of a video."""
        return self.records[index].source.name

    def refuse(self, index: int, reason: str) -> None:
        """Do not open a video again: it cannot be read, for this reason."""
        self.reader.known_bad[self.records[index].source] = reason

    def __getitem__(self, index: int) -> Sample | Skipped | Unread:
        record = self.records[index]
        try:
            self.reader.check_known(record)
            with self.watch.reading(index), _unchanged(self.unchanged, index, record):
                pixels = views_of(self.reader.test_clips(record), self.reader.settings)
        except (DecodeError, MissingFlowError) as error:
            if self.bad_videos == "error" or isinstance(error, UnreachableError):
                raise
            if self.bad_videos == "skip":
                return {"skipped": record.source.name}
            target = self.task.target(record.classes) if self.bad_videos == "wrong" else None
            return {"unread": (index, target, str(error))}
        return _sample(pixels, self.task.target(record.classes), index, views=self.views)


def _unchanged(files: UnchangedFiles | None, index: int, record: VideoRecord) -> AbstractContextManager[None]:
    return nullcontext() if files is None else files.reading(index, record.source)


def _sample(pixels: Sequence[ClipPixels], target: Target, index: int, *, views: bool) -> Sample:
    streams = stack_views(pixels)
    if not views:
        streams = {name: stream[0] for name, stream in streams.items()}
    return {"streams": streams, "label": target, "index": index}
