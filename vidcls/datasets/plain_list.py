"""A list of videos without quotes or anything else that needs thought -> blocks of its cells, by column, at once.

What is read here is what :mod:`vidcls.datasets.text_table` reads, in a tenth of the time: bytes that are UTF-8, rows of
equally many cells, one on each line, none blank. Any other list is left to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vidcls.datasets.list_columns import Columns, layout_of
from vidcls.datasets.list_layout import Layout
from vidcls.datasets.text_table import rows
from vidcls.errors import DatasetError

LEAST_BYTES = 1 << 20  # below, the other reader is done before this one is imported
_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 21
_MOST_CHARACTERS = 1 << 17  # of a cell, in Python's csv; more is an error there
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BETWEEN = np.array([chr(byte) in ",;|\t\r\n" for byte in range(256)])  # of cells, whatever the separator is
# May be a blank in Python; so is a tab where it does not separate.
_EDGE = np.array([(byte <= 0x20 and chr(byte) not in "\r\n") or byte >= 0x80 for byte in range(256)])


class NotPlainError(Exception):
    """The list is to be read by the reader for all lists."""


@dataclass
class CellBlock:
    """Rows that follow each other.

    Args:
        line: of the first; each has one line.
        columns: the cells by the position of the column, as bytes, stripped.
    """

    line: int
    columns: dict[int, list[bytes]] = field(default_factory=dict)


class PlainList:
    """A list of videos that can be read in blocks.

    Args:
        file: it.
        root: the folder that paths are relative to.
        wanted: see :func:`layout_of`.

    Raises:
        NotPlainError: it cannot.
    """

    def __init__(self, file: Path, root: str, wanted: Columns | None) -> None:
        self.file = file
        try:
            with file.open("rb") as stream:
                self._is_stripped = _scanned(stream)
                stream.seek(0)
                head = stream.read(_HEAD_BYTES)
                head += stream.readline()
            self._mark = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
            self._head = head[self._mark :].decode()
            self.layout = layout_of(self._head, file, root, wanted, cells_of=self._cells_of)
        except (OSError, DatasetError) as error:
            raise NotPlainError(str(error)) from error

    def blocks(self) -> Iterator[CellBlock]:
        """The rows with videos.

        Raises:
            NotPlainError: a row has another number of cells than the first.
        """
        return self._blocks(self.layout, self.layout.positions)

    def _blocks(self, layout: Layout, positions: list[int]) -> Iterator[CellBlock]:
        import pyarrow as pa
        from pyarrow import csv

        start, num_cells, line = self._first_row(layout)
        names = [str(position) for position in range(num_cells)]
        read = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names)
        parse = csv.ParseOptions(delimiter=layout.separator, quote_char=False, double_quote=False)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            include_columns=[str(position) for position in positions],
            strings_can_be_null=False,
            check_utf8=False,
        )
        with self.file.open("rb") as stream:
            stream.seek(start)
            if not stream.read(_MOST_CHARACTERS).strip(b"\r\n"):
                return
            stream.seek(start)
            try:
                for batch in csv.open_csv(stream, read, parse, convert):
                    block = CellBlock(line)
                    for position, column in zip(positions, batch.columns, strict=True):
                        cells = column.to_pylist()
                        block.columns[position] = cells if self._is_stripped else [stripped(cell) for cell in cells]
                    line += batch.num_rows
                    yield block
            except pa.ArrowInvalid as error:
                raise NotPlainError(str(error)) from error

    def _first_row(self, layout: Layout) -> tuple[int, int, int]:
        """Where the rows with videos begin in the file, how many cells each has, and the line of the first."""
        if len(layout.separator) != 1 or layout.separator == " ":
            raise NotPlainError("several blanks separate like one")
        line, cells = next(rows(self._head, self.file, layout.separator, num_skipped=layout.num_skipped))
        if line != layout.num_skipped + 1:
            raise NotPlainError("rows without text before the first")
        num_before = layout.num_skipped + layout.has_header
        before = self._head.split("\n", num_before)[:num_before]
        start = self._mark + sum(len(each.encode()) + 1 for each in before)
        return start, len(cells), num_before + 1

    def _cells_of(self, layout: Layout, at: int) -> set[str]:
        found: set[bytes] = set()
        for block in self._blocks(layout, [at]):
            found.update(block.columns[at])
        return {cell.decode() for cell in found}


def stripped(cell: bytes) -> bytes:
    """Without the blanks, as Python counts them, at both ends."""
    return cell.decode().strip().encode()


def _scanned(stream: BinaryIO) -> bool:
    """Whether no cell begins or ends with what may be a blank; raises where the list is not plain."""
    is_stripped, has_ended, is_begun = True, False, False
    while block := stream.read(_BLOCK_BYTES):
        block += stream.readline(_MOST_CHARACTERS)
        _check(block)
        if _BYTE_ORDER_MARK in block[0 if is_begun else len(_BYTE_ORDER_MARK) :]:
            raise NotPlainError("a byte order mark behind the start")
        is_begun = True
        body = block.rstrip(b"\r\n")
        if has_ended and body:
            raise NotPlainError("a blank line")
        if body[:1] in (b"\n", b"\r") or b"\n\n" in body or b"\n\r\n" in body:
            raise NotPlainError("a blank line")
        has_ended = has_ended or block[len(body) :].count(b"\n") > bool(body)
        codes = np.frombuffer(b"\n" + block + b"\n", np.uint8)
        if np.diff(np.flatnonzero(codes == ord("\n"))).max() >= _MOST_CHARACTERS:
            raise NotPlainError("a long line")
        between, is_edge = _BETWEEN[codes], _EDGE[codes]
        is_stripped = is_stripped and not ((is_edge[1:] & between[:-1]) | (is_edge[:-1] & between[1:])).any()
    return is_stripped


def _check(block: bytes) -> None:
    if b'"' in block or b"\0" in block:
        raise NotPlainError("quotes")
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        raise NotPlainError("lines that end otherwise")
    try:
        block.decode()
    except UnicodeDecodeError as error:
        raise NotPlainError("not UTF-8") from error
