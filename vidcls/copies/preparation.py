"""A data set -> a smaller copy of it for training: each frame a JPEG picture that is read and decoded alone."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torch import Tensor
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from vidcls.artifacts.remote_writers import writers_at
from vidcls.artifacts.writers import Writers
from vidcls.copies.prepared_folder import PreparedFolder, PreparedVideo, PrepareSettings
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import DecodeError
from vidcls.files import printable
from vidcls.jobs import Pool, reason_of
from vidcls.remote.places import Place
from vidcls.remote.whole_files import atomic_write
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord
from vidcls.video import Video, open_video, write_video
from vidcls.video.source import source_at
from vidcls.video.source_identity import SourceIdentity
from vidcls.video.writer import DEFAULT_FPS

NUM_COMPARED = 32  # frames of each video whose error is measured; all are read back
CHUNK_BYTES = 64 * 2**20  # of frames in memory at a time


@dataclass(frozen=True, slots=True)
class Preparation:
    """What became of all videos, or of those of a shard.

    Args:
        videos: those in the copy, in the order of the data set.
        num_kept: how many of them were there already.
        failures: name of a video and why it failed.
        copies: the former as videos of the copy, without labels, under the names that its list has.
    """

    videos: list[PreparedVideo]
    num_kept: int
    failures: list[tuple[str, str]]
    copies: list[VideoRecord] = field(default_factory=list)


def prepare(
    records: Sequence[VideoRecord], root: Place, settings: PrepareSettings, *, pool: Pool, shard: Shard = WHOLE
) -> Preparation:
    """Write the copy; see :class:`PreparedFolder` for its files.

    Videos that already exist, of the same source, stay untouched; failures do not stop the others, and are listed.
    Each video is read back whole before it counts. Shards may write to one copy at the same time, from several machines
    too; the lists have what all of them have done by then.

    Args:
        records: the videos, also those of other shards.
        root: the folder of the copy, made where it does not exist.
        settings: size and quality.
        pool: where the work is done.
        shard: which of the videos to do.

    Raises:
        FolderInUseError: another command, or the same shard, is writing to it.
        DatasetError: the folder has a copy with other settings or of other videos, or the disk is full.
    """
    with writers_at(root, shard) as writers:
        return _prepare(records, PreparedFolder.open(root, settings, records, writers), pool, writers)


def _prepare(records: Sequence[VideoRecord], folder: PreparedFolder, pool: Pool, writers: Writers) -> Preparation:
    mine = writers.shard.of(whole_videos(records))
    nameless = [record for record in mine if not _is_text(record.name)]
    failures = [(printable(r.name), f"{printable(r.name)}: its name is not valid text: rename it") for r in nameless]
    found = {record.name: row for record in mine if (row := folder.current(record)) is not None}
    num_kept = len(found)
    waiting = [record for record in mine if record.name not in found and _is_text(record.name)]
    bar = tqdm(total=len(waiting), desc="preparing", unit="video", disable=None, file=sys.stderr)
    with bar, folder.journal(writers) as note:
        for outcome in pool.each(partial(prepare_video, folder), waiting, output=folder.root):
            if outcome.result is not None:
                found[outcome.record.name] = outcome.result
                note(outcome.result)
            else:
                failures.append((outcome.record.name, reason_of(outcome)))
            bar.update()
    failures.sort()
    folder.finish(records, found, failures, writers)
    names = [record.name for record in mine if record.name in found]
    copies = [
        VideoRecord(source_at(str(folder.copy_of(name)), asks=False), "", "train", folder.listed_name(name))
        for name in names
    ]
    return Preparation([found[name] for name in names], num_kept, failures, copies)


def prepare_video(folder: PreparedFolder, record: VideoRecord) -> PreparedVideo:
    """Write one video and read it back.

    Raises:
        DecodeError: the source cannot be read whole, or what was written does not read back.
        OSError: it cannot be written.
    """
    source, settings = SourceIdentity.of(record.source), folder.settings
    place = folder.copy_of(record.name)
    compared: dict[int, Tensor] = {}
    with open_video(record.source) as video:
        num_frames = video.num_frames
        chosen = {round(k * (num_frames - 1) / (NUM_COMPARED - 1)) for k in range(NUM_COMPARED)}
        frames, fps = _small_frames(video, settings.short_side_px, chosen, compared), video.fps or DEFAULT_FPS
        with atomic_write(place) as temporary:  # it gets its place when it has been read back
            write_video(temporary, frames, fps=fps, codec="mjpeg", quality=settings.quality)
            squared = _read_back(temporary, place, num_frames, compared)
            num_bytes = temporary.stat().st_size
    psnr_db = 10 * math.log10(255**2 / squared) if squared else 100.0
    return PreparedVideo(record.name, source.num_bytes, source.digest, num_frames, num_bytes, round(psnr_db, 2))


def _read_back(file: Path, place: Place, num_frames: int, compared: Mapping[int, Tensor]) -> float:
    """Decode all frames of what was written for a place; returns the mean squared error of those to compare."""
    squared = 0.0
    with open_video(file, "jpeg") as copy:
        if copy.num_frames != num_frames:
            raise DecodeError(f"{place}: has {copy.num_frames} frames where {num_frames} were written")
        chunk = _chunk_len(copy)
        for first in range(0, num_frames, chunk):
            indices = range(first, min(first + chunk, num_frames))
            for index, frame in zip(indices, copy.frames(indices), strict=True):
                if index in compared:
                    squared += float((frame.float() - compared[index].float()).square().mean()) / len(compared)
    return squared


def spreads_groups(records: Sequence[VideoRecord]) -> bool:
    """Whether a group is in more than one split, as in the official splits of some data sets."""
    parts: dict[str, set[str]] = {}
    for record in records:
        if record.group is not None:
            parts.setdefault(record.group, set()).add(record.split)
    return any(len(found) > 1 for found in parts.values())


def _chunk_len(video: Video) -> int:
    return max(1, CHUNK_BYTES // video.frames([0]).numel())


def _small_frames(video: Video, short_side_px: int, chosen: set[int], kept: dict[int, Tensor]) -> Iterator[Tensor]:
    """The frames one by one at the size of the copy; those that are chosen are kept for comparison."""
    chunk = _chunk_len(video)
    for first in range(0, video.num_frames, chunk):
        frames = video.frames(range(first, min(first + chunk, video.num_frames)))
        if min(frames.shape[-2:]) > short_side_px:
            frames = F.resize(frames, [short_side_px], antialias=True)
        for index, frame in enumerate(frames, start=first):
            if index in chosen:
                kept[index] = frame.clone()
            yield frame


def _is_text(name: str) -> bool:
    return printable(name) == name
