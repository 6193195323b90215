"""Entries -> a table of them, in which checks find by column the few that they must look at."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.columns_in_making import ColumnsInMaking
from vidcls.datasets.entries import Entry
from vidcls.datasets.records import CODES, RecordTable
from vidcls.datasets.video_columns import Row, Rows, VideoColumns, encoded
from vidcls.types import SPLITS, Split

Hashes = NDArray[np.int64]


class EntryTable(Sequence[Entry]):
    """The entries of a data set; their splits alone can be set.

    Args:
        columns: all but the splits.
        splits: their codes, ``(N,)``, see :data:`vidcls.datasets.records.CODES`.
    """

    def __init__(self, columns: VideoColumns, splits: NDArray[np.int8]) -> None:
        self.columns = columns
        self.splits = splits

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> EntryTable:
        """The table of entries that come one by one."""
        if isinstance(entries, EntryTable):
            return entries
        making, splits = ColumnsInMaking(), [np.zeros(0, np.int8)]
        for some in making.add_entries(entries):
            splits.append(np.array([CODES[entry.split] for entry in some], dtype=np.int8))
        return cls(making.finish(), np.concatenate(splits))

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Entry]:
        for row, code in zip(self.columns.rows(), self.splits, strict=True):
            yield _entry(row, code)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        if isinstance(at, slice):
            return self.some(np.arange(len(self))[at])
        number = operator.index(at) % len(self)
        return _entry(self.columns.row(number), self.splits[number])

    def some(self, rows: Rows) -> list[Entry]:
        """Entries by their numbers."""
        return [_entry(row, self.splits[at]) for row, at in zip(self.columns.rows(rows), rows.tolist(), strict=True)]

    def records(self) -> RecordTable:
        """The videos, when all have a split."""
        assert (self.splits >= 0).all()
        return RecordTable(self.columns.without("source", "line"), self.splits)

    @property
    def given_splits(self) -> set[Split | None]:
        """The splits that occur; None where some are open."""
        return {None if code < 0 else SPLITS[code] for code in np.unique(self.splits).tolist()}

    @cached_property
    def class_pairs(self) -> tuple[Rows, NDArray[np.int32]]:
        """See :meth:`VideoColumns.class_pairs`."""
        return self.columns.class_pairs()

    @property
    def path_hashes(self) -> Hashes:
        """A number for each path, ``(N,)``; equal for equal paths, and nearly never for others."""
        return self._paths[0]

    @property
    def sample_hashes(self) -> Hashes:
        """The same for each path and part."""
        if not self.columns.has_parts:
            return self.path_hashes
        parts = hashes((row.tobytes() for row in self.columns.part_numbers()), len(self))
        return self.path_hashes ^ parts  # as good as independent

    @property
    def folders(self) -> set[bytes]:
        """The folders that the videos lie in."""
        return self._paths[1]

    @cached_property
    def _paths(self) -> tuple[Hashes, set[bytes]]:
        separator, found, start = encoded(os.sep), np.empty(len(self), np.int64), 0
        folders: set[bytes] = set()
        for some in self.columns.paths():
            found[start : start + len(some)] = hashes(some, len(some))
            start += len(some)
            folders.update([path.rpartition(separator)[0] for path in some])
        return found, folders

    @cached_property
    def different_paths(self) -> Hashes:
        """The numbers of the paths, sorted, each once."""
        return np.unique(self.path_hashes)

    def units(self, rows: Rows, salt: bytes = b"") -> Iterator[bytes]:
        """What moves between splits as a whole, see :attr:`Entry.unit`, of the rows, which ascend.

        Args:
            rows: their numbers.
            salt: is put behind each.
        """
        start = 0
        is_wanted = np.zeros(len(self), dtype=np.bool_)
        is_wanted[rows] = True
        for names, groups in zip(self.columns.texts("name"), self.columns.texts("group"), strict=True):
            wanted = is_wanted[start : start + len(names)].tolist()
            start += len(names)
            for name, group, is_mine in zip(names, groups, wanted, strict=True):
                if is_mine:
                    yield b"video/%b%b" % (name, salt) if group is None else b"group/%b%b" % (group, salt)

    def forget(self) -> None:
        """Give back the memory of what was computed for checks."""
        for name in ("class_pairs", "_paths", "different_paths"):
            self.__dict__.pop(name, None)


def hashes(texts: Iterable[bytes], number: int) -> Hashes:
    """A number for each text, ``(number,)``; those of equal texts are equal in this process."""
    return np.fromiter(map(hash, texts), np.int64, number)


def repeated(values: Hashes) -> Rows:
    """The rows, ascending, whose value others have too."""
    ordered = np.sort(values)
    several = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(values, several)) if len(several) else np.zeros(0, np.int64)


def _entry(row: Row, code: np.int8) -> Entry:
    split = None if code < 0 else SPLITS[code]
    return Entry(
        row.path, row.label, row.name, split, row.group, row.source, row.line, row.extra, row.several, row.part
    )
