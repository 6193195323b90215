"""The folder of a prepared copy: what lies in it, whose it is, and what of it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import PurePosixPath

from vidcls.artifacts.failures import FAILURES_NAME, Failures, write_failures
from vidcls.artifacts.places import place_inside
from vidcls.artifacts.writers import Writers
from vidcls.copies.journal import JOURNAL, Journal, PreparedVideo, journals_merged, read_journal
from vidcls.copies.parts_in_frames import parts_in_frames
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import DatasetError
from vidcls.files import printable, remove_leftovers
from vidcls.remote.places import Place, is_remote
from vidcls.remote.whole_files import files_below, holds_files, is_file, num_bytes_of, read_json, write_csv, write_text
from vidcls.types import VideoRecord
from vidcls.video.jpeg_reader import SUFFIX
from vidcls.video.source_identity import SourceIdentity
from vidcls.video_part import PART_COLUMNS, part_cells, part_units

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

    root: Place
    settings: PrepareSettings
    done: dict[str, PreparedVideo]

    def __getstate__(self) -> dict[str, object]:
        """Without what is done: a job for each of many videos would carry the journal of all."""
        return {"root": self.root, "settings": self.settings, "done": {}}

    @classmethod
    def open(
        cls, root: Place, settings: PrepareSettings, records: Sequence[VideoRecord], writers: Writers
    ) -> PreparedFolder:
        """Make the folder, or see that it is a copy of these videos with these settings, and remove what a kill left.

        Raises:
            DatasetError: it is something else, or damaged.
        """
        manifest = root / MANIFEST
        expected = {"format": FORMAT, "settings": asdict(settings)}
        with writers.merging():
            if is_file(manifest):
                _check_manifest(manifest, expected)
            elif holds_files(root):  # hidden ones are what a kill leaves
                raise DatasetError(f"{root}: is not empty and no prepared copy: pass a new folder")
            else:
                write_text(manifest, json.dumps(expected, indent=1) + "\n")
            done = journals_merged(root, writers)
            if done and done.keys().isdisjoint(printable(record.video_name) for record in records):
                raise DatasetError(f"{root}: has a copy of other videos: pass another folder, or delete it")
            if not is_remote(root) and not writers.others():  # else some of these are being written
                for path in (root / VIDEOS).rglob(".*.avi"):
                    path.unlink()
            if not is_remote(root):
                for name in (CLIPS, MANIFEST, JOURNAL, FAILURES):
                    remove_leftovers(root / name)
        return cls(root, settings, done)

    @classmethod
    def existing(cls, root: Place, settings: PrepareSettings) -> PreparedFolder | None:
        """The copy that lies there, only to be read; None where there is none with these settings.

        Raises:
            DatasetError: its journal is damaged.
        """
        try:
            _check_manifest(root / MANIFEST, {"format": FORMAT, "settings": asdict(settings)})
        except (OSError, DatasetError):
            return None
        return cls(root, settings, read_journal(root / JOURNAL) if is_file(root / JOURNAL) else {})

    def copy_of(self, name: str) -> Place:
        """Where the copy of a video lies.

        Raises:
            DatasetError: its name, or a link in the folder, leads out of the folder.
        """
        return place_inside(self.root / VIDEOS, name, SUFFIX)

    def current(self, record: VideoRecord) -> PreparedVideo | None:
        """The copy of a video where it is whole and of the source as it is now."""
        row = self.done.get(printable(record.video_name))
        if row is None or not self._is_whole(row, record.video_name) or record.source.stamp() is None:
            return None
        is_same = SourceIdentity.of(record.source) == SourceIdentity(row.source_bytes, row.source_digest)
        return row if is_same else None

    @contextmanager
    def journal(self, writers: Writers) -> Iterator[Callable[[PreparedVideo], None]]:
        """Notes videos as they are done, each at once."""
        with Journal(writers.own_file(JOURNAL)) as journal:
            yield journal.note
        if is_remote(self.root):
            journals_merged(self.root, writers)

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
                self._write_lists([(r, found[r.video_name]) for r in records if r.video_name in found])
                return
            mine = {printable(record.name) for record in writers.shard.of(whole_videos(records))}
            failed = {name for name, _ in write_failures(self.root, failures, done=mine)}
            done = journals_merged(self.root, writers)
            rows = [(record, done.get(printable(record.video_name))) for record in records]
            self._write_lists(
                [
                    (record, row)
                    for record, row in rows
                    if row is not None and row.name not in failed and self._is_whole(row, record.video_name)
                ]
            )

    def listed_name(self, name: str) -> str:
        """What the list of the copy calls a video."""
        self.copy_of(name)  # refuses one that leads out of the folder
        return PurePosixPath(VIDEOS, name + SUFFIX).as_posix()

    def _is_whole(self, row: PreparedVideo, name: str) -> bool:
        place = self.copy_of(name)
        if is_remote(self.root):
            return self._sent.get(name + SUFFIX) == row.num_bytes
        return num_bytes_of(place) == row.num_bytes

    @cached_property
    def _sent(self) -> dict[str, int]:
        """Of a copy at an address the sizes of what was there when it was opened, by one listing."""
        return files_below(self.root / VIDEOS)

    def _write_lists(self, videos: Sequence[tuple[VideoRecord, PreparedVideo]]) -> None:
        records = parts_in_frames([record for record, _ in videos])
        rows = [*{row.name: row for _, row in videos}.values()]
        units = part_units(record.part for record in records)
        extra = sorted({name for record in records for name in record.extra})
        has_groups = any(record.group is not None for record in records)
        part_columns = [column for unit in units for column in PART_COLUMNS[unit]]
        header = ["path", *part_columns, "label", "split", *(["group"] if has_groups else []), *extra]
        lines = [
            [
                self.listed_name(record.video_name),
                *part_cells(record.part, units),
                record.label,
                record.split,
                *([record.group or record.video_name] if has_groups else []),
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


def _check_manifest(path: Place, expected: dict[str, object]) -> None:
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
