"""How a list of videos is read: its separator, and what its columns mean -> the cells of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vidcls.class_names import label_text
from vidcls.datasets.label_cells import LabelForm, is_there, whole_path
from vidcls.datasets.text_table import rows

if TYPE_CHECKING:
    from vidcls.remote.places import Place


@dataclass(slots=True)
class Layout:
    """How a list is to be read.

    Args:
        separator: one of `SEPARATORS`.
        num_skipped: lines before the first row: comments.
        has_header: whether the first row names the columns.
        columns: which of `KNOWN_COLUMNS` stands at which position.
        extra: the other columns of a header, by name.
        notes: what was understood that is not the plain form, a line each.
        class_columns: columns that say with 1 or 0 whether a video has a class, by its name; in place of a label.
        form: how the label names several classes.
        suffix: of a video whose path has none; empty where paths are whole.
    """

    separator: str
    num_skipped: int
    has_header: bool
    columns: dict[str, int]
    extra: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    class_columns: dict[str, int] = field(default_factory=dict)
    form: LabelForm = "bars"
    suffix: str = ""

    @property
    def has_classes(self) -> bool:
        """Whether the columns say that a video may have several classes, or none."""
        return bool(self.class_columns) or self.form != "bars"

    @property
    def positions(self) -> list[int]:
        """Of all columns that are read, ascending."""
        return sorted({*self.columns.values(), *self.extra.values(), *self.class_columns.values()})

    def label(self, row: Sequence[str], place: str) -> str:
        """The label of a row, or those classes whose columns have a 1.

        Raises:
            DatasetError: a column of a class has neither 1 nor 0.
        """
        if not self.class_columns:
            return row[self.columns["label"]]
        return label_text([name for name, at in self.class_columns.items() if is_there(row[at], name, place)])

    def labels(self, columns: Mapping[int, Sequence[bytes]], source: str, line: int) -> list[bytes]:
        """The same of rows that follow each other, whose cells are given by column."""
        if not self.class_columns:
            return list(columns[self.columns["label"]])
        rows_there = [
            [is_there(cell.decode(), name, f"{source}:{number}") for number, cell in enumerate(columns[at], start=line)]
            for name, at in self.class_columns.items()
        ]
        names = tuple(self.class_columns)
        return [
            label_text([name for name, there in zip(names, row, strict=True) if there]).encode()
            for row in zip(*rows_there, strict=True)
        ]

    def path(self, cell: str, root: str) -> str:
        """The path that a cell means."""
        return whole_path(cell, root, self.suffix) if self.suffix else cell

    def paths(self, cells: list[bytes], root: str) -> list[bytes]:
        """The same of several cells."""
        return [self.path(cell.decode(), root).encode() for cell in cells] if self.suffix else cells

    def rows(self, text: str, file: Place) -> Iterator[tuple[int, list[str]]]:
        """The rows with videos."""
        found = rows(text, file, self.separator, num_skipped=self.num_skipped)
        if self.has_header:
            next(found)
        return found


CellsOf = Callable[[Layout, int], set[str]]
"""The different cells of a column of a list that is read like that."""


def cells_of_text(text: str, file: Place) -> CellsOf:
    """Of a list that is all here, each way of reading it once."""
    found: dict[tuple[str, int, bool], list[set[str]]] = {}

    def cells_of(layout: Layout, at: int) -> set[str]:
        how = (layout.separator, layout.num_skipped, layout.has_header)
        if how not in found:
            found[how] = []
            for _, cells in layout.rows(text, file):
                found[how] = found[how] or [set() for _ in cells]
                for of_column, cell in zip(found[how], cells, strict=True):
                    of_column.add(cell)
        return found[how][at] if found[how] else set()

    return cells_of
