"""A Parquet file of videos -> blocks of its cells, by column, as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.datasets.list_columns import Columns, named_layout
from vidcls.datasets.list_layout import Layout
from vidcls.datasets.plain_list import CellBlock, stripped
from vidcls.datasets.video_columns import ROWS_AT_ONCE
from vidcls.errors import DatasetError, MissingDataError

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetList:
    """A table of videos, to be closed after use; what its cells hold is taken as the text that a csv file would have.

    Columns that are no text, numbers, dates or truth values, such as lists or pictures, are left out, with a note.

    Args:
        file: it.
        wanted: see :func:`vidcls.datasets.list_columns.layout_of`.

    Raises:
        DatasetError: it cannot be read, or there are no columns path and label.
    """

    def __init__(self, file: Path, wanted: Columns | None, *, name: str | None = None) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self.file = name or str(file)
        try:
            self._table = parquet.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            kind = MissingDataError if isinstance(error, FileNotFoundError) else DatasetError
            raise kind(
                f"cannot read the list {self.file}: {' '.join(str(error).split())}; expected a Parquet file"
            ) from error
        with ExitStack() as failing:
            failing.callback(self.close)
            schema = self._table.schema_arrow
            left_out = [field.name for field in schema if not _is_plain(field.type)]
            self._names = [name for name in schema.names if name not in left_out]
            note = "columns left out, since they are no text: " + ", ".join(left_out)
            try:
                self.layout = named_layout(list(self._names), self.file, wanted, self._cells_of)
            except DatasetError as error:
                raise (DatasetError(f"{error}; {note}") if left_out else error) from error
            if left_out:
                self.layout.notes.append(note)
            failing.pop_all()

    def close(self) -> None:
        """Close the file."""
        self._table.close(force=True)

    def blocks(self) -> Iterator[CellBlock]:
        """The rows, numbered from 1."""
        return self._blocks(self.layout.positions)

    def _blocks(self, positions: list[int]) -> Iterator[CellBlock]:
        import pyarrow as pa

        line = 1
        names = [self._names[position] for position in positions]
        try:
            for batch in self._table.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False):
                cells = {at: _texts(batch.column(name)) for at, name in zip(positions, names, strict=True)}
                if any(b"\0" in b"".join(column) for column in cells.values()):
                    raise DatasetError(f"{self.file}: a cell from row {line} on has a NUL byte; write the file again")
                yield CellBlock(line, cells)
                line += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(
                f"cannot read the list {self.file}: {' '.join(str(error).split())}; write the file again"
            ) from error

    def _cells_of(self, layout: Layout, at: int) -> set[str]:  # noqa: ARG002 - one layout only
        return {cell.decode() for block in self._blocks([at]) for cell in {*block.columns[at]}}


def _is_plain(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (
        types.is_string, types.is_large_string, types.is_string_view, types.is_integer, types.is_floating,
        types.is_boolean, types.is_temporal, types.is_null, types.is_decimal,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _texts(column: pa.Array) -> list[bytes]:
    """The cells as bytes, stripped; empty where there is none."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):  # pandas writes NaN for a cell that is empty
        column = compute.if_else(compute.is_nan(column), None, column)
    texts = column.cast(pa.string())
    texts.validate(full=True)  # a writer may have put in other bytes than UTF-8
    cells = texts.cast(pa.binary()).to_pylist()
    return [b"" if cell is None else cell if _has_plain_edges(cell) else stripped(cell) for cell in cells]


def _has_plain_edges(cell: bytes) -> bool:
    return not cell or (0x20 < cell[0] < 0x80 and 0x20 < cell[-1] < 0x80)
