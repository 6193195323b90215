"""The folder of a prepared copy: what lies in it, whose it is, and what of it is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.artifacts.failures import FAILURES_NAME, Failures, write_failures
from vidcls.artifacts.places import place_inside
from vidcls.artifacts.writers import Writers
from vidcls.copies.journal import HEADER, JOURNAL, PreparedVideo, journals_merged, read_journal, row_of
from vidcls.errors import DatasetError
from vidcls.files import printable, remove_leftovers, write_csv, write_text
from vidcls.settings_file import read_json
from vidcls.types import VideoRecord
from vidcls.video.jpeg_reader import SUFFIX
from vidcls.video.source_identity import SourceIdentity

VIDEOS, CLIPS, MANIFEST, FAILURES = "videos", "clips.csv", "manifest.json", FAILURES_NAME
FORMAT = 1


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


@dataclass(frozen=True)
class PreparedFolder:
    """``videos/<name>.jpeg.avi``, ``clips.csv`` for VideoCsv, ``failures.csv`` where there are any, ``manifest.json``.

    ``prepared.csv`` is the journal: a video is whole where a line of it has the size of the copy and the identity of
    its source. A shard has a journal of its own, which becomes part of that one.

    Args:
        root: the folder.
        settings: of all its videos.
        done: what the journal had when it was opened, by name.
    """

    root: Path
    settings: PrepareSettings
    done: dict[str, PreparedVideo]

    @classmethod
    def open(
        cls, root: Path, settings: PrepareSettings, records: Sequence[VideoRecord], writers: Writers
    ) -> PreparedFolder:
        """Make the folder, or see that it is a copy of these videos with these settings, and remove what a kill left.

        Raises:
            DatasetError: it is something else, or damaged.
        """
        manifest = root / MANIFEST
        expected = {"format": FORMAT, "settings": asdict(settings)}
        with writers.merging():
            if manifest.is_file():
                _check_manifest(manifest, expected)
            elif root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir()):  # a kill leaves such
                raise DatasetError(f"{root}: is not empty and no prepared copy: pass a new folder")
            else:
                write_text(manifest, json.dumps(expected, indent=1) + "\n")
            done = journals_merged(root, writers)
            if done and done.keys().isdisjoint(printable(record.name) for record in records):
                raise DatasetError(f"{root}: has a copy of other videos: pass another folder, or delete it")
            if not writers.others():  # else some of these are being written
                for path in (root / VIDEOS).rglob(".*.avi"):
                    path.unlink()
            for name in (CLIPS, MANIFEST, JOURNAL, FAILURES):
                remove_leftovers(root / name)
        return cls(root, settings, done)

    @classmethod
    def existing(cls, root: Path, settings: PrepareSettings) -> PreparedFolder | None:
        """The copy that lies there, only to be read; None where there is none with these settings.

        Raises:
            DatasetError: its journal is damaged.
        """
        try:
            _check_manifest(root / MANIFEST, {"format": FORMAT, "settings": asdict(settings)})
        except (OSError, DatasetError):
            return None
        return cls(root, settings, read_journal(root / JOURNAL) if (root / JOURNAL).is_file() else {})

    def copy_of(self, name: str) -> Path:
        """Where the copy of a video lies.

        Raises:
            DatasetError: its name, or a link in the folder, leads out of the folder.
        """
        return place_inside(self.root / VIDEOS, name, SUFFIX)

    def current(self, record: VideoRecord) -> PreparedVideo | None:
        """The copy of a video where it is whole and of the source as it is now."""
        row = self.done.get(printable(record.name))
        if row is None or not self._is_whole(row, record.name) or record.source.stamp() is None:
            return None
        is_same = SourceIdentity.of(record.source) == SourceIdentity(row.source_bytes, row.source_digest)
        return row if is_same else None

    @contextmanager
    def journal(self, writers: Writers) -> Iterator[Callable[[PreparedVideo], None]]:
        """Notes videos as they are done, each at once."""
        path = writers.own_file(JOURNAL)
        if not path.is_file():
            write_csv(path, [HEADER])
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")

            def note(video: PreparedVideo) -> None:
                writer.writerow(row_of(video))
                file.flush()

            yield note

    def finish(
        self,
        records: Sequence[VideoRecord],
        found: Mapping[str, PreparedVideo],
        failures: Failures,
        writers: Writers,
    ) -> None:
        """Write the list of videos, the failures and the manifest, each whole; of shards all that are there by now.

        Args:
            records: all videos, also those of other shards.
            found: those of this shard that are in the copy, by name.
            failures: those of this shard that are not.
            writers: whose shard it is.
        """
        with writers.merging():
            if writers.shard.is_whole:
                write_failures(self.root, failures)
                self._write_lists([(record, found[record.name]) for record in records if record.name in found])
                return
            mine = {printable(record.name) for record in writers.shard.of(records)}
            failed = {name for name, _ in write_failures(self.root, failures, done=mine)}
            done = journals_merged(self.root, writers)
            rows = [(record, done.get(printable(record.name))) for record in records]
            self._write_lists(
                [
                    (record, row)
                    for record, row in rows
                    if row is not None and row.name not in failed and self._is_whole(row, record.name)
                ]
            )

    def listed_name(self, name: str) -> str:
        """What the list of the copy calls a video."""
        return self.copy_of(name).relative_to(self.root).as_posix()

    def _is_whole(self, row: PreparedVideo, name: str) -> bool:
        place = self.copy_of(name)
        return place.is_file() and place.stat().st_size == row.num_bytes

    def _write_lists(self, videos: Sequence[tuple[VideoRecord, PreparedVideo]]) -> None:
        records, rows = [record for record, _ in videos], [row for _, row in videos]
        extra = sorted({name for record in records for name in record.extra})
        has_groups = any(record.group is not None for record in records)
        header = ["path", "label", "split", *(["group"] if has_groups else []), *extra]
        lines = [
            [
                self.listed_name(record.name),
                record.label,
                record.split,
                *([record.group or record.name] if has_groups else []),
                *(record.extra.get(name, "") for name in extra),
            ]
            for record in records
        ]
        write_csv(self.root / CLIPS, [header, *lines], odd_names="kept")
        content = {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "num_videos": len(rows),
            "num_frames": sum(row.num_frames for row in rows),
            "source_bytes": sum(row.source_bytes for row in rows),
            "num_bytes": sum(row.num_bytes for row in rows),
            "mean_psnr_db": round(sum(row.psnr_db for row in rows) / len(rows), 2) if rows else None,
            "min_psnr_db": min((row.psnr_db for row in rows), default=None),
        }
        write_text(self.root / MANIFEST, json.dumps(content, indent=1) + "\n")


def _check_manifest(path: Path, expected: dict[str, object]) -> None:
    try:
        found = read_json(path)
    except ValueError as error:
        raise DatasetError(f"{path}: cannot be understood: pass another folder, or delete it") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path}: cannot be understood: pass another folder, or delete it")
    if {key: found.get(key) for key in expected} != expected:
        raise DatasetError(
            f"{path.parent}: has a copy with other settings ({found.get('settings')}, asked for "
            f"{expected['settings']}): pass another folder, or delete it"
        )
