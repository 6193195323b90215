"""Videos as they are listed -> columns of an Arrow table: some 30 bytes for each beside its name, and no Python object.

Text is kept as bytes, as file names are. Where a path is the root and the name, which is nearly always so, the name
alone is kept::

    name            place   label   group     source  line   extra: fps
    walk/a.mp4      null    0       person 3  0       2      25
    outside/1f/b    /b.mp4  1       null      0       3      30
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.handed_over import file_of_batches, goes_to_new_process, mapped_batches
from vidcls.datasets.part_columns import PART_COLUMNS, part_in
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 1 << 16
RECORDS_AT_ONCE = 1 << 12  # of which each becomes an object
EXTRA = "extra: "
_NO_EXTRA: dict[str, str] = {}  # shared by all rows without further columns
_SPARSE = 16  # from so many rows for each wanted one, rows are taken one by one

Rows = NDArray[np.integer]
"""Numbers of videos, ``(N,)``."""


def encoded(text: str) -> bytes:
    """Text as bytes; those of a file name that are not UTF-8 stay what they are."""
    return text.encode("utf-8", "surrogateescape")


def decoded(raw: bytes) -> str:
    """The text that was encoded."""
    return raw.decode("utf-8", "surrogateescape")


class Row(NamedTuple):
    """One video, or a part of one, all but its split; the name is that of the whole video."""

    path: str
    name: str
    label: str
    group: str | None
    source: str
    line: int
    extra: Mapping[str, str]
    several: tuple[str, ...] | None
    part: VideoPart | None


@dataclass(frozen=True)
class VideoColumns:
    """The videos of a data set by column; never changed.

    Args:
        prefix: what a path has before the name, where it has no place of its own; with the separator.
        labels: the texts of the labels, in the order in which they came.
        sources: the annotations that list the videos.
        batches: the columns; all batches have the same ones. Those that would be empty are left out.
    """

    prefix: str
    labels: Sequence[str]
    sources: Sequence[str]
    batches: Sequence[pa.RecordBatch]

    def __post_init__(self) -> None:
        """Take the columns apart once, since a worker asks for single rows again and again."""
        starts = np.cumsum([0, *(batch.num_rows for batch in self.batches)]).tolist()
        columns = [dict(zip(batch.schema.names, batch.columns, strict=True)) for batch in self.batches]
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "has_parts", any(self.has(column) for column in PART_COLUMNS))

    def __reduce__(self) -> tuple[Callable[..., VideoColumns], tuple[object, ...]]:
        """To a new process of this machine goes the path of a file, which it maps; to others, all."""
        facts = (self.prefix, self.labels, self.sources)
        if not goes_to_new_process(sum(batch.nbytes for batch in self.batches)):
            return VideoColumns, (*facts, self.batches)
        if self._file is None:
            object.__setattr__(self, "_file", file_of_batches(list(self.batches), self))
        if self._file is None:
            return VideoColumns, (*facts, self.batches)
        return _mapped, (*facts, self._file)

    _file: str | None = None
    _starts: list[int] = None  # type: ignore[assignment]
    _columns: list[dict[str, pa.Array]] = None  # type: ignore[assignment]
    has_parts: bool = False
    """Whether a video is listed in part."""

    def __len__(self) -> int:
        return self._starts[-1]

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def has(self, column: str) -> bool:
        """Whether any video has it."""
        return any(column in columns for columns in self._columns)

    def without(self, *names: str) -> VideoColumns:
        """The same without some columns."""
        kept = [[name for name in batch.schema.names if name not in names] for batch in self.batches]
        batches = [batch.select(wanted) for batch, wanted in zip(self.batches, kept, strict=True)]
        return VideoColumns(self.prefix, self.labels, self.sources, batches)

    def numbers(self, column: str) -> NDArray[np.int32]:
        """A column of numbers, ``(N,)``."""
        parts = [columns[column].to_numpy() for columns in self._columns]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def part_numbers(self) -> NDArray[np.float64]:
        """What tells the parts of a video from each other, ``(N, 4)``; NaN where a column has none."""
        found = np.full((len(self), len(PART_COLUMNS)), np.nan)
        for first, columns in zip(self._starts, self._columns, strict=False):
            for place, name in enumerate(PART_COLUMNS):
                if name in columns:
                    stop = first + len(columns[name])
                    found[first:stop, place] = columns[name].to_numpy(zero_copy_only=False)
        return found

    def texts(self, column: str) -> Iterator[list[Any]]:
        """A column of text in order, some at a time, as bytes; None where a video has none."""
        for batch, columns in zip(self.batches, self._columns, strict=True):
            for start in range(0, batch.num_rows, ROWS_AT_ONCE):
                length = min(ROWS_AT_ONCE, batch.num_rows - start)
                yield columns[column].slice(start, length).to_pylist() if column in columns else [None] * length

    def paths(self) -> Iterator[list[bytes]]:
        """Where the videos are, in order, some at a time."""
        prefix = encoded(self.prefix)
        for names, places in zip(self.texts("name"), self.texts("place"), strict=True):
            if self.has("place"):
                yield [prefix + name if place is None else place for name, place in zip(names, places, strict=True)]
            else:
                yield [prefix + name for name in names]

    def class_pairs(self) -> tuple[Rows, NDArray[np.int32]]:
        """A row and one of its classes for each class of each video, ``(P,)`` both, rows ascending."""
        labels = self.numbers("label")
        if not self.has("several"):
            return np.arange(len(self)), labels
        rows: list[int] = []
        codes: list[int] = []
        start = 0
        for columns in self._columns:
            num = len(columns["name"])
            several = columns["several"].to_pylist() if "several" in columns else [None] * num
            for at, found in enumerate(several, start=start):
                listed = [int(labels[at])] if found is None else found
                rows += [at] * len(listed)
                codes += listed
            start += num
        return np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int32)

    def row(self, at: int) -> Row:
        """One video."""
        batch = bisect_right(self._starts, at) - 1
        at -= self._starts[batch]
        columns = self._columns[batch]
        return self._row({name: column[at].as_py() for name, column in columns.items()})

    def rows(self, wanted: Rows | None = None) -> Iterator[Row]:
        """Videos by their numbers, or all of them, in order."""
        if wanted is None:
            for start in range(0, len(self), RECORDS_AT_ONCE):
                yield from self._between(start, min(start + RECORDS_AT_ONCE, len(self)))
            return
        for start in range(0, len(wanted), RECORDS_AT_ONCE):
            some = wanted[start : start + RECORDS_AT_ONCE]
            first, last = int(some.min()), int(some.max())
            if last - first >= _SPARSE * len(some):
                yield from (self.row(at) for at in some.tolist())
            else:
                found = list(self._between(first, last + 1, set(some.tolist())))
                places = {at: k for k, at in enumerate(np.unique(some).tolist())}
                yield from (found[places[at]] for at in some.tolist())

    def _between(self, start: int, stop: int, wanted: set[int] | None = None) -> Iterator[Row]:
        for first, columns in zip(self._starts, self._columns, strict=False):
            num = len(columns["name"])
            begin, end = max(start - first, 0), min(stop - first, num)
            if begin >= end:
                continue
            texts = {name: column.slice(begin, end - begin).to_pylist() for name, column in columns.items()}
            for at, cells in enumerate(zip(*texts.values(), strict=True), start=first + begin):
                if wanted is None or at in wanted:
                    yield self._row(dict(zip(texts, cells, strict=True)))

    def _row(self, cells: dict[str, Any]) -> Row:
        name, place, group = decoded(cells["name"]), cells.get("place"), cells.get("group")
        several, extra = cells.get("several"), _NO_EXTRA
        if len(cells) > 2:
            further = [(key, cell) for key, cell in cells.items() if cell is not None and key.startswith(EXTRA)]
            extra = {key[len(EXTRA) :]: decoded(cell) for key, cell in further} or _NO_EXTRA
        return Row(
            self.prefix + name if place is None else decoded(place),
            name,
            self.labels[cells["label"]],
            None if group is None else decoded(group),
            self.sources[cells.get("source") or 0] if self.sources else "",
            cells.get("line") or 0,
            extra,
            None if several is None else tuple(self.labels[code] for code in several),
            part_in(cells) if self.has_parts else None,
        )


def _mapped(prefix: str, labels: Sequence[str], sources: Sequence[str], file: str) -> VideoColumns:
    return VideoColumns(prefix, labels, sources, mapped_batches(file))
