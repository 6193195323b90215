"""A text file of rows -> its text, and its cells by line, whatever its encoding and its separator."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vidcls.datasets.places import content_of
from vidcls.errors import DatasetError

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
COMMA = ","
LAST_BLANK = "last blank"  # the label behind the last blank; paths may have blanks themselves
SEPARATORS = {COMMA: "commas", "\t": "tabs", ";": "semicolons", "|": "bars", " ": "blanks", LAST_BLANK: "blanks"}


def read_text(file: Place) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Bytes that are not UTF-8 become lone surrogates (``surrogateescape``), as Python has them in file names; see
    `check_unicode`.

    Raises:
        DatasetError: the file cannot be read, is cut off, or has a NUL byte; the message has the line number.
    """
    raw = content_of(file)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if raw.startswith(mark)), "utf-8-sig")
    try:
        text = raw.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: not {encoding.upper()} text ({error.reason}); save it as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DatasetError(f"{file}:{line}: contains a NUL byte; save the file again as UTF-8 text")
    return text


def check_unicode(text: str, place: str) -> None:
    """Raise `DatasetError` where ``text`` was not valid UTF-8; ``place`` says where it stands."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise DatasetError(f"{place}: not UTF-8 text; save the file as UTF-8")


def rows(text: str, file: Place, separator: str = COMMA, *, num_skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, cells stripped, each with its line number; all have as many cells as the first.

    Args:
        text: of the file.
        file: its path, for messages.
        separator: one of `SEPARATORS`.
        num_skipped: lines at the start that are no rows.

    Raises:
        DatasetError: this is no such table, or a row has another number of cells than the first.
    """
    num_columns = 0
    lines = io.StringIO(text, newline="")
    for _ in range(num_skipped):
        next(lines)
    for line, cells in _split(lines, file, separator, num_skipped):
        if not any(cells):
            continue
        num_columns = num_columns or len(cells)
        if len(cells) != num_columns:
            raise DatasetError(
                f"{file}:{line}: expected {num_columns} cells as in the first row, found {len(cells)}; put a cell with "
                f'{"a comma" if separator == COMMA else f"separators ({SEPARATORS[separator]})"} into "quotes"'
            )
        yield line, [cell.strip() for cell in cells]


def read_csv(file: Place) -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file with commas that are not blank, each with its line number; the header is the first.

    Raises:
        DatasetError: the file is not UTF-8 or not csv, or a row has another number of cells than the header.
    """
    text = read_text(file)
    for line, cells in rows(text, file):
        for cell in cells:
            check_unicode(cell, f"{file}:{line}")
        yield line, cells


def _split(lines: io.StringIO, file: Place, separator: str, num_skipped: int) -> Iterator[tuple[int, list[str]]]:
    if separator == LAST_BLANK:
        for line, text in enumerate(lines, start=num_skipped + 1):
            yield line, text.strip().rsplit(maxsplit=1)
        return
    stripped = (line.strip(" \r\n") + "\n" for line in lines)
    blanks = separator == " "  # several of them separate like one
    reader = csv.reader(stripped if blanks else lines, delimiter=separator, skipinitialspace=blanks, strict=True)
    try:
        for cells in reader:
            yield num_skipped + reader.line_num, cells
    except csv.Error as error:
        raise DatasetError(
            f"{file}:{num_skipped + reader.line_num}: not valid csv: {error}; check the quotes"
        ) from error
