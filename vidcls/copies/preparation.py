"""A data set -> a smaller copy of it for training: each frame a JPEG picture that is read and decoded alone."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from vidcls.copies.prepared_folder import PreparedFolder, PreparedVideo, PrepareSettings
from vidcls.errors import DecodeError
from vidcls.files import printable
from vidcls.folder_lock import FolderLock
from vidcls.jobs import Pool, reason_of
from vidcls.types import VideoRecord
from vidcls.video import Video, open_video, write_video
from vidcls.video.source_identity import SourceIdentity
from vidcls.video.writer import DEFAULT_FPS

NUM_COMPARED = 32  # frames of each video whose error is measured; all are read back
CHUNK_BYTES = 64 * 2**20  # of frames in memory at a time


@dataclass(frozen=True, slots=True)
class Preparation:
    """What became of all videos.

    Args:
        videos: those in the copy, in the order of the data set.
        num_kept: how many of them were there already.
        failures: name of a video and why it failed.
    """

    videos: list[PreparedVideo]
    num_kept: int
    failures: list[tuple[str, str]]


def prepare(records: Sequence[VideoRecord], root: Path, settings: PrepareSettings, *, pool: Pool) -> Preparation:
    """Write the copy; see :class:`PreparedFolder` for its files.

    Videos that already exist, of the same source, stay untouched; failures do not stop the others, and are listed.
    Each video is read back whole before it counts.

    Args:
        records: the videos.
        root: the folder of the copy, made where it does not exist.
        settings: size and quality.
        pool: where the work is done.

    Raises:
        FolderInUseError: another command is writing to it.
        DatasetError: the folder has a copy with other settings or of other videos, or the disk is full.
    """
    with FolderLock(root):
        return _prepare(records, PreparedFolder.open(root, settings, records), pool)


def _prepare(records: Sequence[VideoRecord], folder: PreparedFolder, pool: Pool) -> Preparation:
    nameless = [record for record in records if not _is_text(record.name)]
    failures = [(printable(r.name), f"{printable(r.name)}: its name is not valid text: rename it") for r in nameless]
    found = {record.name: row for record in records if (row := folder.current(record)) is not None}
    num_kept = len(found)
    waiting = [record for record in records if record.name not in found and _is_text(record.name)]
    bar = tqdm(total=len(waiting), desc="preparing", unit="video", disable=None, file=sys.stderr)
    with bar, folder.journal() as note:
        for outcome in pool.each(partial(prepare_video, folder), waiting):
            if outcome.result is not None:
                found[outcome.record.name] = outcome.result
                note(outcome.result)
            else:
                failures.append((outcome.record.name, reason_of(outcome)))
            bar.update()
    failures.sort()
    folder.finish([(record, found[record.name]) for record in records if record.name in found], failures)
    return Preparation([found[record.name] for record in records if record.name in found], num_kept, failures)


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
        frames = _small_frames(video, settings.short_side_px, chosen, compared)
        write_video(place, frames, fps=video.fps or DEFAULT_FPS, codec="mjpeg", quality=settings.quality)
    squared = 0.0
    with open_video(place, "jpeg") as copy:
        if copy.num_frames != num_frames:
            raise DecodeError(f"{place}: has {copy.num_frames} frames where {num_frames} were written")
        chunk = _chunk_len(copy)
        for first in range(0, num_frames, chunk):
            indices = range(first, min(first + chunk, num_frames))
            for index, frame in zip(indices, copy.frames(indices), strict=True):
                if index in compared:
                    squared += float((frame.float() - compared[index].float()).square().mean()) / len(compared)
    psnr_db = 10 * math.log10(255**2 / squared) if squared else 100.0
    return PreparedVideo(
        record.name, source.num_bytes, source.digest, num_frames, place.stat().st_size, round(psnr_db, 2)
    )


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
