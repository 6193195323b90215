"""``ledger.csv`` beside the files of videos: which machine of a cluster did which, at which try, in how many seconds.

::

    finished,video,outcome,tries,seconds,node,node_id
    2026-11-29T10:00:00+00:00,walk/a.mp4,done,1,0.52,host-1 (10.0.0.1),9bf2...
    2026-11-29T10:00:03+00:00,walk/b.mp4,done,2,0.48,host-2 (10.0.0.2),77c0...
    2026-11-29T10:00:04+00:00,run/c.mp4,failed,1,0.01,host-2 (10.0.0.2),77c0...

Each line is written at once and none is ever changed, so that a killed command leaves those that it wrote; later
commands append to them. Beside an output at an address there are parts in ``ledger/``, one every few seconds. It says
what was done, and decides nothing: what is there is asked of the files themselves.
"""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from vidcls.errors import DatasetError
from vidcls.files import csv_text, printable
from vidcls.remote.places import Place, is_remote
from vidcls.remote.row_parts import RowParts, parts_in
from vidcls.remote.whole_files import open_text

LEDGER_NAME = "ledger.csv"
PARTS = "ledger"


class LedgerRow(NamedTuple):
    """One video that a worker is done with.

    Args:
        finished: time, as ISO 8601 in UTC.
        video: its name.
        outcome: ``done`` or ``failed``.
        tries: how often it was begun.
        seconds: of the last try.
        node: name and address of the machine of the last try.
        node_id: by which the cluster knows it.
    """

    finished: str
    video: str
    outcome: str
    tries: int
    seconds: float
    node: str
    node_id: str


class Ledger:
    """The file, while a command appends to it.

    Args:
        folder: where it lies, of this machine or at an address; None to write nothing.
    """

    def __init__(self, folder: Place | None) -> None:
        self.path = None if folder is None else folder / LEDGER_NAME
        self._file: int | None = None
        self._parts = RowParts(folder / PARTS, LedgerRow._fields) if folder is not None and is_remote(folder) else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._parts is not None:
            self._parts.__exit__(kind, error, trace)

    def note(self, video: str, *, is_done: bool, tries: int, seconds: float, node: str, node_id: str) -> None:
        """Append a line.

        Raises:
            DatasetError: it cannot be written.
        """
        if self.path is None:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        outcome = "done" if is_done else "failed"
        row = LedgerRow(now, printable(video), outcome, tries, round(seconds, 3), node, node_id)
        if self._parts is not None:
            self._parts.add(row)
            return
        assert isinstance(self.path, Path)
        try:
            if self._file is None:
                self._file = _opened(self.path)
            os.write(self._file, csv_text([row]).encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise DatasetError(f"{self.path}: cannot be written ({error.strerror}): make room, or remove it") from error


def read_ledger(folder: Place) -> list[LedgerRow]:
    """All lines, in the order in which they were written; a line that a kill cut off is left out."""
    rows: list[list[str]] = []
    for place in parts_in(folder / PARTS) if is_remote(folder) else [folder / LEDGER_NAME]:
        try:
            with open_text(place) as file:
                rows += [*csv.reader(file)][1:]
        except FileNotFoundError:
            continue
    whole = [row for row in rows if len(row) == len(LedgerRow._fields)]
    return [LedgerRow(row[0], row[1], row[2], int(row[3]), float(row[4]), row[5], row[6]) for row in whole]


def _opened(path: Path) -> int:
    """Open for appending, after the header and a whole line."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    if os.fstat(file).st_size == 0:
        os.write(file, csv_text([LedgerRow._fields]).encode())
        return file
    os.lseek(file, -1, os.SEEK_END)  # Windows has no pread
    if os.read(file, 1) != b"\n":
        os.write(file, b"\n")
    return file
