"""Columns and a split for each row -> a sequence of `VideoRecord`, each made when it is asked for.

So the list of millions of videos takes some tens of bytes for each, and processes that load share it: reading a row
writes nothing, where a list of Python objects is copied page by page as their counters change.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.columns_in_making import ColumnsInMaking
from vidcls.datasets.entries import Entry
from vidcls.datasets.handed_over import file_of_array, goes_to_new_process, mapped_array
from vidcls.datasets.video_columns import Row, Rows, VideoColumns
from vidcls.types import SPLITS, Split, VideoRecord
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import LocalFile, VideoSource, source_at

OPEN = -1  # the code of a split that is still to be cut
TOLD_BY_PLACE = (LocalFile, RemoteFile)
CODES: dict[Split | None, int] = {None: OPEN, **{split: code for code, split in enumerate(SPLITS)}}


class RecordTable(Sequence[VideoRecord]):
    """Videos of a data set, or some of them.

    Args:
        columns: all of them.
        splits: the place in ``SPLITS`` of each one's split, ``(N,)``.
        rows: the numbers of those that are meant; None means all.
    """

    def __init__(self, columns: VideoColumns, splits: NDArray[np.int8], rows: Rows | None = None) -> None:
        self.columns = columns
        self.splits = splits
        self.rows = rows
        self._files: list[str] | None = None

    @classmethod
    def of(cls, records: Iterable[VideoRecord]) -> RecordTable:
        """The table of records whose sources can be told by a path or an address."""
        making, splits = ColumnsInMaking(), []
        for some in making.add_entries(map(_entry, records)):
            splits += [CODES[entry.split] for entry in some]
        return cls(making.finish(), np.array(splits, dtype=np.int8))

    def __len__(self) -> int:
        return len(self.columns) if self.rows is None else len(self.rows)

    def __iter__(self) -> Iterator[VideoRecord]:
        for row, code in zip(self.columns.rows(self.rows), self.codes, strict=True):
            yield _record(row, SPLITS[code])

    @overload
    def __getitem__(self, at: int) -> VideoRecord: ...
    @overload
    def __getitem__(self, at: slice) -> RecordTable: ...
    def __getitem__(self, at: int | slice) -> VideoRecord | RecordTable:
        if isinstance(at, slice):
            rows = np.arange(len(self.columns)) if self.rows is None else self.rows
            return RecordTable(self.columns, self.splits, rows[at])
        number, length = operator.index(at), len(self)
        if not -length <= number < length:
            raise IndexError(f"video {number} of {length}")
        number %= length
        row = number if self.rows is None else int(self.rows[number])
        return _record(self.columns.row(row), SPLITS[self.splits[row]])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RecordTable of {len(self)} videos"

    def __reduce__(self) -> tuple[Callable[..., RecordTable], tuple[object, ...]]:
        """See :meth:`VideoColumns.__reduce__`."""
        arrays = [array for array in (self.splits, self.rows) if array is not None]
        if not goes_to_new_process(sum(array.nbytes for array in arrays)):
            return RecordTable, (self.columns, self.splits, self.rows)
        if self._files is None:
            files = [file for array in arrays if (file := file_of_array(array, self)) is not None]
            if len(files) < len(arrays):
                return RecordTable, (self.columns, self.splits, self.rows)
            self._files = files
        return _mapped, (self.columns, *self._files)

    @property
    def codes(self) -> NDArray[np.int8]:
        """The places in ``SPLITS`` of their splits, ``(N,)``."""
        return self.splits if self.rows is None else self.splits[self.rows]

    def class_pairs(self) -> tuple[Rows, NDArray[np.int32]]:
        """The number of a video and one of its classes, for each class of each video, ``(P,)`` both, ascending."""
        rows, codes = self.columns.class_pairs()
        if self.rows is None:
            return rows, codes
        if len(rows) == len(self.columns) and not self.columns.has("several"):
            return np.arange(len(self)), codes[self.rows]
        first, last = np.searchsorted(rows, self.rows), np.searchsorted(rows, self.rows, side="right")
        counts = last - first
        at = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
        return np.repeat(np.arange(len(self)), counts), codes[at]

    def split(self, name: Split) -> RecordTable:
        """Those of one split, in order."""
        found = np.flatnonzero(self.codes == CODES[name]).astype(np.int32)
        return RecordTable(self.columns, self.splits, found if self.rows is None else self.rows[found])

    def of_splits(self, splits: Sequence[Split]) -> RecordTable:
        """All of them, in order, with other splits."""
        codes = np.array([CODES[split] for split in splits], dtype=np.int8)
        if self.rows is None:
            return RecordTable(self.columns, codes)
        everywhere = self.splits.copy()
        everywhere[self.rows] = codes
        return RecordTable(self.columns, everywhere, self.rows)


def as_table(records: Sequence[VideoRecord]) -> Sequence[VideoRecord]:
    """The records as a table where their sources can be told by a path; as they are otherwise."""
    if isinstance(records, RecordTable) or not all(type(record.source) in TOLD_BY_PLACE for record in records):
        return records
    return RecordTable.of(records)


def _mapped(columns: VideoColumns, *files: str) -> RecordTable:
    return RecordTable(columns, *map(mapped_array, files))  # type: ignore[arg-type]


def _record(row: Row, split: Split) -> VideoRecord:
    return VideoRecord(
        source=_source(row.path),
        label=row.label,
        split=split,
        name=row.name if row.part is None else row.name + row.part.fragment,
        group=row.group,
        extra=row.extra,
        several=row.several,
        part=row.part,
    )


def _source(place: str) -> VideoSource:
    return source_at(place, asks=False)  # the data set asked for permission when it was made


def _entry(record: VideoRecord) -> Entry:
    return Entry(
        record.source.address if isinstance(record.source, RemoteFile) else record.source.name,
        record.label,
        record.video_name,
        record.split,
        record.group,
        extra=record.extra,
        several=record.several,
        part=record.part,
    )
