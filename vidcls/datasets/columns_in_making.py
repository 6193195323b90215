"""Videos that come some at a time -> the columns of an Arrow table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from vidcls.datasets.entries import Entry
from vidcls.datasets.part_columns import PART_COLUMNS, columns_of
from vidcls.datasets.video_columns import EXTRA, ROWS_AT_ONCE, VideoColumns, encoded

if TYPE_CHECKING:
    import pyarrow as pa


class ColumnsInMaking:
    """Takes videos, and becomes columns.

    Args:
        prefix: see `VideoColumns`; None takes it from the first video.
    """

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = prefix
        self.labels: dict[str, int] = {}
        self.sources: dict[str, int] = {}
        self.batches: list[dict[str, pa.Array]] = []
        self.num_rows = 0

    def label(self, text: str) -> int:
        """The number of a label."""
        return self.labels.setdefault(text, len(self.labels))

    def forget_after(self, num_rows: int) -> None:
        """Take back the videos after so many, which came with whole calls of `add`."""
        while self.num_rows > num_rows:
            self.num_rows -= len(self.batches.pop()["name"])

    def add(self, columns: dict[str, pa.Array]) -> None:
        """Some videos."""
        self.batches.append(columns)
        self.num_rows += len(columns["name"])

    def add_entries(self, entries: Iterable[Entry]) -> Iterator[list[Entry]]:
        """Videos that are listed one by one, which are handed on, some at a time."""
        entries = iter(entries)
        while some := list(islice(entries, ROWS_AT_ONCE)):
            self.add(self._columns_of(some))
            yield some

    def _columns_of(self, entries: list[Entry]) -> dict[str, pa.Array]:
        import pyarrow as pa

        if self.prefix is None:
            first = entries[0]
            self.prefix = first.path[: -len(first.name)] if first.name and first.path.endswith(first.name) else ""
        prefix, label = self.prefix, self.label
        codes, several = [], []
        for entry in entries:
            codes.append(label(entry.label))
            several.append(None if entry.several is None else [label(name) for name in entry.several])
        places = [None if entry.path == prefix + entry.name else encoded(entry.path) for entry in entries]
        groups = [None if entry.group is None else encoded(entry.group) for entry in entries]
        columns = {
            "name": pa.array([encoded(entry.name) for entry in entries], pa.binary()),
            "label": pa.array(codes, pa.int32()),
        }
        optional: tuple[tuple[str, Sequence[object], pa.DataType], ...] = (
            ("place", places, pa.binary()),
            ("group", groups, pa.binary()),
            ("several", several, pa.list_(pa.int32())),
        )
        for name, cells, kind in optional:
            if any(cell is not None for cell in cells):
                columns[name] = pa.array(cells, kind)
        columns |= columns_of([entry.part for entry in entries])
        if any(entry.line for entry in entries):
            sources = self.sources
            numbers = [sources.setdefault(entry.source, len(sources)) for entry in entries]
            if any(numbers):
                columns["source"] = pa.array(numbers, pa.int32())
            columns["line"] = pa.array([entry.line for entry in entries], pa.int32())
        for key in dict.fromkeys(key for entry in entries if entry.extra for key in entry.extra):
            further = [encoded(entry.extra[key]) if key in entry.extra else None for entry in entries]
            columns[EXTRA + key] = pa.array(further, pa.binary())
        return columns

    def finish(self) -> VideoColumns:
        """The columns; batches that lack one of them get an empty one.

        Where some are parts of videos, a video without a group is the group of its parts, so that none of them is
        tested that overlaps, or comes just before, one that was trained on.
        """
        import pyarrow as pa

        if any(not columns.keys().isdisjoint(PART_COLUMNS) for columns in self.batches):
            for columns in self.batches:
                columns["group"] = _group_or_name(columns)
        kinds = {name: column.type for columns in self.batches for name, column in columns.items()}
        batches = []
        for columns in self.batches:
            num = len(columns["name"])
            arrays = [columns[name] if name in columns else pa.nulls(num, kind) for name, kind in kinds.items()]
            batches.append(pa.RecordBatch.from_arrays(arrays, names=list(kinds)))
        return VideoColumns(self.prefix or "", list(self.labels), list(self.sources), batches)


def _group_or_name(columns: dict[str, pa.Array]) -> pa.Array:
    from pyarrow import compute

    return compute.coalesce(columns["group"], columns["name"]) if "group" in columns else columns["name"]
