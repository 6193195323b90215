"""The journal of a prepared copy: which videos of it are done, of which source, noted at once and read after a kill."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from types import TracebackType
from typing import Self, TextIO

from vidcls.artifacts.writers import Writers
from vidcls.errors import DatasetError
from vidcls.files import printable
from vidcls.remote.places import Place, is_remote
from vidcls.remote.row_parts import RowParts, parts_in
from vidcls.remote.whole_files import is_file, open_text, remove_file, write_csv, write_text

JOURNAL = "prepared.csv"
PARTS = ".prepared"


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


HEADER = [field.name for field in fields(PreparedVideo)]


class Journal:
    """Notes videos as they are done: at once on a disk, every few seconds in an object store, which takes whole files.

    There the notes are parts beside the journal, which are merged at the end, or when the copy is opened again. What a
    kill keeps from being noted is written again.

    Args:
        path: of the journal; it is made where it does not exist.
    """

    def __init__(self, path: Place) -> None:
        self._path = path
        self._parts = RowParts(path.parent / PARTS, HEADER)
        self._file: TextIO | None = None

    def note(self, video: PreparedVideo) -> None:
        """One more is done."""
        if self._file is None:
            self._parts.add(row_of(video))
        else:
            csv.writer(self._file, lineterminator="\n").writerow(row_of(video))
            self._file.flush()

    def __enter__(self) -> Self:
        if not is_file(self._path):
            write_csv(self._path, [HEADER])
        if not is_remote(self._path):
            self._file = self._path.open("a", newline="", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._parts.__exit__(kind, error, trace)


def journals_merged(root: Place, writers: Writers) -> dict[str, PreparedVideo]:
    """What was done before, with what shards have noted since, which becomes part of the journal of all."""
    done = read_journal(root / JOURNAL)
    noted: Sequence[Place] = writers.unmerged_files(JOURNAL)
    if is_remote(root):
        noted = parts_in(root / PARTS)
    if noted:
        for path in noted:
            done |= read_journal(path)
        write_csv(root / JOURNAL, [HEADER, *(row_of(video) for video in done.values())])
        for path in noted:
            remove_file(path)
    return done


def row_of(video: PreparedVideo) -> list[object]:
    """A video as a row of the journal."""
    return list({**asdict(video), "name": printable(video.name)}.values())


def read_journal(path: Place) -> dict[str, PreparedVideo]:
    """What was done before; a last line that was cut off counts for nothing."""
    if not is_file(path):
        write_csv(path, [HEADER])
        return {}
    try:
        with open_text(path) as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is damaged: delete it, and the copy is made again") from error
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    rows: dict[str, PreparedVideo] = {}
    try:
        for row in csv.DictReader(io.StringIO(whole)):
            rows[row["name"]] = PreparedVideo(
                row["name"],
                int(row["source_bytes"]),
                row["source_digest"],
                int(row["num_frames"]),
                int(row["num_bytes"]),
                float(row["psnr_db"]),
            )
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: is damaged: delete it, and the copy is made again") from error
    return rows
