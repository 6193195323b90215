"""Blocks of cells -> columns of videos, as the lines of a list become them one by one."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vidcls.datasets.columns_in_making import ColumnsInMaking
from vidcls.datasets.entries import name_inside
from vidcls.datasets.group_pattern import group_in
from vidcls.datasets.list_layout import Layout
from vidcls.datasets.part_columns import PART_COLUMNS, UNITS, columns_of, part_of_cells
from vidcls.datasets.plain_list import CellBlock
from vidcls.datasets.video_columns import EXTRA, decoded, encoded
from vidcls.errors import DatasetError
from vidcls.remote import is_address

if TYPE_CHECKING:
    import pyarrow as pa

# Parts of a path, between line breaks, that make it another than root and cell: so few that each is sought at once.
_ODD = (b"//", b"/./", b"/../", b"\n/", b"\n./", b"\n../", b"/\n", b"/.\n", b"/..\n", b"\n.\n", b"\n..\n")
_STRANGE = (b"\\", b"\n~/", b":/")


@dataclass
class SplitWords:
    """The words of a column of splits: what a word means may depend on the others.

    Args:
        first_lines: the words, each with the line of its first video.
        codes: of the words, by video.
    """

    first_lines: dict[str, int] = field(default_factory=dict)
    codes: array[int] = field(default_factory=lambda: array("i"))
    _numbers: dict[bytes, int] = field(default_factory=dict)

    def add(self, words: list[bytes], line: int) -> None:
        """Those of videos whose lines follow each other."""
        numbers = self._numbers
        for at, word in sorted((words.index(word), word) for word in {*words} - numbers.keys()):
            numbers[word] = len(numbers)
            self.first_lines[decoded(word)] = line + at
        self.codes.extend([numbers[word] for word in words])


def add_blocks(
    making: ColumnsInMaking,
    blocks: Iterable[CellBlock],
    layout: Layout,
    *,
    source: str,
    root: str,
    pattern: re.Pattern[str] | None,
    path_of: Callable[[str, str, str], str],
) -> SplitWords:
    """Add all videos; the words of their splits.

    Args:
        making: takes them.
        blocks: of the list.
        layout: of its columns.
        source: the list.
        root: the folder that paths are relative to, with which ``making`` begins its paths.
        pattern: finds the group in a name, where there is no such column.
        path_of: the path that a cell, the root and a place mean.

    Raises:
        DatasetError: a cell is empty, a path cannot be understood, or a name has no group.
    """
    import pyarrow as pa

    words, labels = SplitWords(), dict[bytes, int]()
    number = making.sources.setdefault(source, len(making.sources))
    for block in blocks:
        cells = {name: block.columns[at] for name, at in layout.columns.items() if name not in PART_COLUMNS}
        needed = {name: column for name, column in cells.items() if name != "label"}
        if any(b"" in column for column in needed.values()):
            raise _empty_cell(needed, f"{source}:", block.line)
        cells["label"] = layout.labels(block.columns, source, block.line)
        paths = layout.paths(cells["path"], root)
        names, places = _names(paths, making.prefix or "", root, source, block.line, path_of)
        for label in {*cells["label"]} - labels.keys():
            labels[label] = making.label(decoded(label))
        columns = {
            "name": pa.array(names, pa.binary()),
            "label": pa.array([labels[label] for label in cells["label"]], pa.int32()),
            "line": pa.array(np.arange(block.line, block.line + len(names), dtype=np.int32)),
        }
        if number:  # not the first
            columns["source"] = pa.array(np.full(len(names), number, np.int32))
        if places is not None:
            columns["place"] = pa.array(places, pa.binary())
        if "group" in cells:
            columns["group"] = pa.array(cells["group"], pa.binary())
        elif pattern is not None:
            found = (
                group_in(pattern, decoded(name), f"{source}:{at}") for at, name in enumerate(names, start=block.line)
            )
            columns["group"] = pa.array([encoded(group) for group in found], pa.binary())
        columns |= _part_columns(block, layout, source)
        for name, at in layout.extra.items():
            columns[EXTRA + name] = pa.array(block.columns[at], pa.binary())
        if "split" in cells:
            words.add(cells["split"], block.line)
        making.add(columns)
    return words


def _part_columns(block: CellBlock, layout: Layout, source: str) -> dict[str, pa.Array]:
    for unit, (start, end) in UNITS.items():
        if start in layout.columns:
            pairs = zip(block.columns[layout.columns[start]], block.columns[layout.columns[end]], strict=True)
            return columns_of(
                [
                    part_of_cells(decoded(first), decoded(last), unit, f"{source}:{line}")
                    for line, (first, last) in enumerate(pairs, start=block.line)
                ]
            )
    return {}


def _empty_cell(cells: Mapping[str, list[bytes]], source: str, line: int) -> DatasetError:
    at, name = min((column.index(b""), name) for name, column in cells.items() if b"" in column)
    return DatasetError(f"{source}{line + at}: the column {name} is empty; fill it or remove the line")


def _names(
    cells: list[bytes], prefix: str, root: str, source: str, line: int, path_of: Callable[[str, str, str], str]
) -> tuple[list[bytes], list[bytes | None] | None]:
    """The names of videos, and their paths where these are not root and name; None where all are."""
    joined = b"\n%b\n" % b"\n".join(cells)
    start = encoded(prefix)
    needs_thought = is_address(root) or joined.count(b"\n") > len(cells) + 1  # line breaks in a cell
    if not needs_thought and not any(part in joined for part in (*_ODD, *_STRANGE)):
        return cells, None
    if not needs_thought and joined.count(b"\n" + start) == len(cells):
        inner = [cell[len(start) :] for cell in cells]
        joined = b"\n%b\n" % b"\n".join(inner)
        if b"" not in inner and not any(part in joined for part in (*_ODD, *_STRANGE)):
            return inner, None
    names: list[bytes] = []
    places: list[bytes | None] = []
    for at, cell in enumerate(cells, start=line):
        path = path_of(decoded(cell), root, f"{source}:{at}")
        name = name_inside(path, root)
        names.append(encoded(name))
        places.append(None if path == prefix + name else encoded(path))
    return names, places
