"""A data set -> a smaller copy of it for training: each frame a JPEG picture that is read and decoded alone."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from torch import Tensor
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from vidcls.errors import DatasetError, DecodeError, VidclsError
from vidcls.files import write_text
from vidcls.flow.source_identity import SourceIdentity
from vidcls.flow.worker_pool import each_video
from vidcls.types import VideoRecord
from vidcls.video import Video, open_video, write_video
from vidcls.video.jpeg_reader import SUFFIX

VIDEOS, CLIPS, MANIFEST, JOURNAL, FAILURES = "videos", "clips.csv", "manifest.json", "prepared.csv", "failures.csv"
FORMAT = 1
NUM_COMPARED = 32  # frames of each video whose error is measured; all are read back
CHUNK_BYTES = 64 * 2**20  # of frames in memory at a time
DEFAULT_FPS = 25.0  # for files that state none
JOURNAL_COLUMNS = ("name", "source_bytes", "source_digest", "num_frames", "num_bytes", "psnr_db")


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """What the copy is like.

    Args:
        short_side_px: length of the shorter side; smaller videos keep their size.
        quality: of the JPEG pictures on FFmpeg's scale, 1 (best) to 31.
    """

    short_side_px: int = 128
    quality: int = 3

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        if self.short_side_px < 16 or not 1 <= self.quality <= 31:
            raise ValueError(
                f"short_side_px must be at least 16 and quality 1 to 31, got {self.short_side_px} and {self.quality}"
            )


@dataclass(frozen=True, slots=True)
class PreparedVideo:
    """One video of the copy, as the journal has it.

    Args:
        name: of the source in its data set.
        source_bytes: size of the source.
        source_digest: what tells the source from other files.
        num_frames: of both.
        num_bytes: size of the copy.
        psnr_db: peak signal-to-noise ratio of the copy against the source at the same size, over some frames.
    """

    name: str
    source_bytes: int
    source_digest: str
    num_frames: int
    num_bytes: int
    psnr_db: float


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
    failures: list[tuple[str, str]] = field(default_factory=list)


def prepare(records: Sequence[VideoRecord], root: Path, settings: PrepareSettings, *, num_workers: int) -> Preparation:
    """Write the copy: ``videos/<name>.jpeg.avi``, ``clips.csv`` for :class:`VideoCsv`, and ``manifest.json``.

    Videos that are there already, of the same source, stay untouched; failures do not stop the others, and are listed
    in ``failures.csv``. Each video is read back whole before it counts.

    Args:
        records: the videos.
        root: the folder of the copy, made where it does not exist.
        settings: size and quality.
        num_workers: number of processes; 0 works in this one.

    Raises:
        DatasetError: the folder has a copy with other settings, or the disk is full.
    """
    _open(root, settings, records)
    done = _journal(root / JOURNAL)
    kept: dict[str, PreparedVideo] = {}
    failures: list[tuple[str, str]] = []
    waiting: list[VideoRecord] = []
    for record in records:
        row = done.get(record.name)
        if not _is_text(record.name):
            failures.append(
                (_printable(record.name), f"{_printable(record.name)}: its name is no valid text: rename it")
            )
        elif row is not None and _is_current(row, record, root):
            kept[record.name] = row
        else:
            waiting.append(record)
    found = dict(kept)
    bar = tqdm(total=len(waiting), desc="preparing", unit="video", disable=None, file=sys.stderr)
    with bar, (root / JOURNAL).open("a", newline="", encoding="utf-8") as journal:
        writer = csv.writer(journal, lineterminator="\n")
        for outcome in each_video(partial(prepare_video, root, settings), waiting, num_workers=num_workers):
            if outcome.result is not None:
                found[outcome.record.name] = outcome.result
                writer.writerow(asdict(outcome.result).values())
                journal.flush()
            else:
                failures.append((outcome.record.name, _reason(outcome.record, outcome.error, root)))
            bar.update()
    videos = [found[record.name] for record in records if record.name in found]
    _finish(root, settings, [record for record in records if record.name in found], videos, sorted(failures))
    return Preparation(videos, len(kept), sorted(failures))


def prepare_video(root: Path, settings: PrepareSettings, record: VideoRecord) -> PreparedVideo:
    """Write one video and read it back.

    Raises:
        DecodeError: the source cannot be read whole, or what was written does not read back.
        OSError: it cannot be written.
    """
    source = SourceIdentity.of(record.path)
    place = copy_of(root, record.name)
    compared: dict[int, Tensor] = {}
    with open_video(record.path) as video:
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


def copy_of(root: Path, name: str) -> Path:
    """Where the copy of a video lies."""
    return root / VIDEOS / f"{name}{SUFFIX}"


def spreads_groups(records: Sequence[VideoRecord]) -> bool:
    """Whether a group is in more than one part, as in the official splits of some data sets."""
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


def _open(root: Path, settings: PrepareSettings, records: Sequence[VideoRecord]) -> None:
    """Make the folder, or see that it is a copy of these videos with these settings; remove what a kill left there."""
    manifest = root / MANIFEST
    expected = {"format": FORMAT, "settings": asdict(settings)}
    if manifest.is_file():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetError(f"{manifest}: cannot be understood: give another folder, or delete it") from error
        if {key: found.get(key) for key in expected} != expected:
            raise DatasetError(
                f"{root}: has a copy with other settings ({found.get('settings')}, asked for {expected['settings']}): "
                "give another folder, or delete it"
            )
        there = set(_journal(root / JOURNAL))
        if there and there.isdisjoint(record.name for record in records):
            raise DatasetError(f"{root}: has a copy of other videos: give another folder, or delete it")
        for path in (root / VIDEOS).rglob(".*.avi"):
            path.unlink()
        return
    if root.is_dir() and any(root.iterdir()):
        raise DatasetError(f"{root}: is not empty and no prepared copy: give a new folder")
    write_text(manifest, json.dumps(expected, indent=1) + "\n")


def _journal(path: Path) -> dict[str, PreparedVideo]:
    """What was done before; a last line that was cut off counts for nothing."""
    if not path.is_file():
        write_text(path, ",".join(JOURNAL_COLUMNS) + "\n")
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    rows: dict[str, PreparedVideo] = {}
    for row in csv.DictReader(io.StringIO(whole)):
        try:
            rows[row["name"]] = PreparedVideo(
                row["name"],
                int(row["source_bytes"]),
                row["source_digest"],
                int(row["num_frames"]),
                int(row["num_bytes"]),
                float(row["psnr_db"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{path}: is damaged: delete it, and the copy is made again") from error
    return rows


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return name.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _is_current(row: PreparedVideo, record: VideoRecord, root: Path) -> bool:
    place = copy_of(root, record.name)
    if not place.is_file() or place.stat().st_size != row.num_bytes or not record.path.is_file():
        return False
    return SourceIdentity.of(record.path) == SourceIdentity(row.source_bytes, row.source_digest)


def _reason(record: VideoRecord, error: BaseException | None, root: Path) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise DatasetError(
            f"{root}: the disk is full: what is finished is kept; make room and run the same command again"
        ) from error
    if isinstance(error, VidclsError):
        return str(error)
    if type(error).__name__ == "BrokenProcessPool":
        return f"{record.path}: its worker process died (a crash of the decoder, or too little memory)"
    return f"{record.path}: {type(error).__name__}: {error}"


def _finish(
    root: Path,
    settings: PrepareSettings,
    records: Sequence[VideoRecord],
    videos: Sequence[PreparedVideo],
    failures: Sequence[tuple[str, str]],
) -> None:
    """Write the list of videos, the failures and the manifest, each whole."""
    extra = sorted({name for record in records for name in record.extra})
    has_groups = any(record.group is not None for record in records)
    header = ["path", "label", "split", *(["group"] if has_groups else []), *extra]
    rows = [
        [
            copy_of(Path(), record.name).as_posix(),
            record.label,
            record.split,
            *([record.group or record.name] if has_groups else []),
            *(record.extra.get(name, "") for name in extra),
        ]
        for record in records
    ]
    _write_csv(root / CLIPS, [header, *rows])
    if failures:
        _write_csv(root / FAILURES, [("name", "reason"), *failures])
    else:
        (root / FAILURES).unlink(missing_ok=True)
    content = {
        "format": FORMAT,
        "settings": asdict(settings),
        "num_videos": len(videos),
        "num_frames": sum(video.num_frames for video in videos),
        "source_bytes": sum(video.source_bytes for video in videos),
        "num_bytes": sum(video.num_bytes for video in videos),
        "mean_psnr_db": round(sum(video.psnr_db for video in videos) / len(videos), 2) if videos else None,
        "min_psnr_db": min((video.psnr_db for video in videos), default=None),
    }
    write_text(root / MANIFEST, json.dumps(content, indent=1) + "\n")


def _write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


__all__ = ["Preparation", "PrepareSettings", "PreparedVideo", "copy_of", "prepare", "prepare_video"]
