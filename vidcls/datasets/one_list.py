"""One list of videos, a file -> its videos, line by line or, where that is possible, in blocks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.cell_blocks import SplitWords, add_blocks
from vidcls.datasets.columns_in_making import ColumnsInMaking
from vidcls.datasets.entries import Entry, name_inside
from vidcls.datasets.group_pattern import group_in
from vidcls.datasets.label_cells import LabelForm
from vidcls.datasets.list_columns import Columns, layout_of
from vidcls.datasets.list_layout import Layout
from vidcls.datasets.parquet_list import ParquetList
from vidcls.datasets.part_columns import PART_COLUMNS, part_of_row, parts_of_actions
from vidcls.datasets.places import below_address, local_annotation
from vidcls.datasets.plain_list import LEAST_BYTES, NotPlainError, PlainList
from vidcls.datasets.records import CODES
from vidcls.datasets.split_words import splits_of
from vidcls.datasets.text_table import check_unicode, read_text
from vidcls.datasets.video_columns import encoded
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.remote import check_allowed, is_address
from vidcls.remote.addresses import normal
from vidcls.types import Split
from vidcls.video_files import PARQUET

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_NO_EXTRA: dict[str, str] = {}  # shared by all records of a csv without further columns
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass
class OneList:
    """One file, and what it turns into.

    Args:
        file: the file.
        root: the folder that its paths are relative to.
        split: of all its videos, where the file has no such column.
        columns: see `VideoCsv`.
        pattern: finds the group in a name, where there is no such column.
    """

    file: Place
    root: str
    split: Split | None
    columns: Columns | None
    pattern: re.Pattern[str] | None = None
    notes: list[str] = field(default_factory=list)
    has_split: bool = False
    form: LabelForm = "bars"
    has_classes: bool = False
    """Whether its columns say that a video may have several classes."""
    splits_actions: bool = False
    """Whether each action of a cell such as ``c092 11.90 21.20;c147 0.00 12.60`` is a part with its class."""

    def add_to(self, making: ColumnsInMaking) -> NDArray[np.int8]:
        """Add the videos in the order of the lines; the codes of their splits, ``(N,)``."""
        before = making.num_rows
        words = self._add_blocks(making)
        if words is None:
            making.forget_after(before)
            words = SplitWords()
            for _ in making.add_entries(self._entries(words)):
                pass
        if not words.codes:
            return np.full(making.num_rows - before, CODES[self.split], dtype=np.int8)
        return _codes(words, str(self.file))

    def _add_blocks(self, making: ColumnsInMaking) -> SplitWords | None:
        """The words of splits where the list can be read in blocks; None where it must be read line by line."""
        if self.file.suffix.lower() == PARQUET:
            with (
                local_annotation(self.file) as here,
                closing(ParquetList(here, self.columns, name=str(self.file))) as table,
            ):
                return self._in_blocks(making, table)
        with local_annotation(self.file) as here:
            try:
                if here.stat().st_size < LEAST_BYTES:
                    return None
                plain = PlainList(here, self.root, self.columns)
                return None if self._are_actions(plain.layout) else self._in_blocks(making, plain)
            except (NotPlainError, DatasetError):
                return None

    def _in_blocks(self, making: ColumnsInMaking, table: ParquetList | PlainList) -> SplitWords:
        self._understand(table.layout)
        source, root = str(self.file), self.root
        return add_blocks(
            making, table.blocks(), table.layout, source=source, root=root, pattern=self.pattern, path_of=_path
        )

    def _understand(self, layout: Layout) -> None:
        self.notes = [f"{self.file.name}: {note}" for note in layout.notes]
        self.has_split = "split" in layout.columns or self.split is not None
        self.form, self.has_classes = layout.form, layout.has_classes and not self._are_actions(layout)

    def _are_actions(self, layout: Layout) -> bool:
        return self.splits_actions and layout.form == "intervals"

    def _entries(self, words: SplitWords) -> Iterator[Entry]:
        source, root = str(self.file), self.root
        text = read_text(self.file)
        layout = layout_of(text, self.file, root, self.columns)
        self._understand(layout)
        has_parts = not layout.columns.keys().isdisjoint(PART_COLUMNS)
        is_text = text.isascii() or not re.search("[\ud800-\udfff]", text)
        for line, row in layout.rows(text, self.file):
            cells = {name: row[at] for name, at in layout.columns.items()}
            part = part_of_row(cells, f"{source}:{line}") if has_parts else None
            cells["label"] = layout.label(row, f"{source}:{line}")
            if empty := next((name for name, cell in cells.items() if not cell and name != "label"), None):
                raise DatasetError(f"{source}:{line}: the column {empty} is empty; fill it or remove the line")
            path = _path(layout.path(cells["path"], root), root, f"{source}:{line}")
            if not is_text:  # a file name may be any bytes, and is right where the file is there
                for cell in row:
                    if cell != cells["path"] or not os.path.lexists(path):
                        check_unicode(cell, f"{source}:{line}")
            extra = {name: row[at] for name, at in layout.extra.items()} if layout.extra else _NO_EXTRA
            name, group = name_inside(path, root), cells.get("group")
            if group is None and self.pattern is not None:
                group = group_in(self.pattern, name, f"{source}:{line}")
            labels = [(cells["label"], part)]
            if self._are_actions(layout):
                labels = parts_of_actions(cells["label"], f"{source}:{line}")
            for label, found in labels:
                if "split" in cells:
                    words.add([encoded(cells["split"])], line)
                yield Entry(path, label, name, self.split, group, source, line, extra, part=found)


def _codes(words: SplitWords, source: str) -> NDArray[np.int8]:
    """The codes of the splits that words mean, ``(N,)``.

    Raises:
        DatasetError: a word is not a split, or could be two.
    """
    try:
        meant = splits_of(words.first_lines)
    except DatasetError as error:
        raise DatasetError(f"{source}: in the column split, {error}") from error
    for word, line in words.first_lines.items():
        if word not in meant:
            raise DatasetError(
                f"{source}:{line}: unknown split {word!r}; expected train, val or test, or another usual name of these"
            )
    by_word = np.array([CODES[meant[word]] for word in words.first_lines], dtype=np.int8)
    return by_word[np.array(words.codes, dtype=np.int64)]


def _path(cell: str, root: str, place: str) -> str:
    """The absolute path of a file that is listed as ``cell``."""
    if is_address(cell):
        try:
            check_allowed(cell)
        except ConfigurationError as error:
            raise DatasetError(f"{place}: {error}") from error
        return normal(cell)
    if is_address(root):
        return _below(cell, root, place)
    if os.sep == "/" and _is_strange(cell) and not os.path.lexists(os.path.join(root, cell)):  # noqa: PTH118
        if _DRIVE.match(cell):
            raise DatasetError(
                f"{place}: {cell} is a Windows path: write paths relative to the folder of the videos, "
                "and pass that as --data.dataset.root"
            )
        cell = os.path.expanduser(cell.replace("\\", "/"))  # noqa: PTH111
    return os.path.normpath(os.path.join(root, cell))  # noqa: PTH118 - speed, and Path keeps `..`


def _below(cell: str, root: str, place: str) -> str:
    """The address of a file that is listed relative to one."""
    if cell.startswith(("/", "~")) or _DRIVE.match(cell):
        raise DatasetError(
            f"{place}: {cell} is a path of one machine, and the videos are below {root}: write paths relative to that, "
            "or pass the folder of the videos as --data.dataset.root"
        )
    found = below_address(root, cell)
    if found is None:
        raise DatasetError(f"{place}: {cell} leads out of {root}: write paths relative to that")
    return found


def _is_strange(path: str) -> bool:
    return "\\" in path or path.startswith("~/") or path[1:3] == ":/"
