"""A csv file -> records: the columns path and label, and where present split and group."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from vidcls.datasets.base import VideoDataset, collector_paused, settle
from vidcls.datasets.checks import first_few
from vidcls.datasets.entries import Entry, existing_folder, name_inside
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.types import Split

SPLIT_WORDS: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
KNOWN_COLUMNS = ("path", "label", "split", "group")
_NO_EXTRA: dict[str, str] = {}  # shared by all records of a csv without further columns


class VideoCsv(VideoDataset):
    """Videos listed in a csv file with a header, in the order of its lines.

    ``path`` and ``label`` are needed. Without ``split`` (train, val or test; validation and valid mean val) the three
    parts are cut by class and, where there is a column ``group``, by group. With ``split`` but no val in it,
    validation is cut from the training part in the same way, never from test. Every other column is kept in the
    record's ``extra``.

    Args:
        path: the csv file, UTF-8, separated by commas.
        root: folder that the paths in the csv are relative to; default: the folder of the csv.
        val_fraction: share of the videos for validation, where the csv has none; of the training part where test is
            given.
        test_fraction: share of the videos for testing, where the csv has no column split.
        seed: of the cut.
        official_split: keep the split of the csv even where it spreads a group over parts, as those of some published
            data sets do; it is logged in place of refused.

    Raises:
        DatasetError: the csv is unreadable, or contradicts itself or the files; the message has the line number.
    """

    def __init__(
        self,
        path: Path,
        *,
        root: Path | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        official_split: bool = False,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        path = Path(path).expanduser()
        if not path.is_file():
            raise DatasetError(f"no csv file at {path}: expected a file with the columns path,label; check the path")
        folder = existing_folder(path.parent if root is None else root, what="folder of the videos")
        with collector_paused():
            entries = list(_entries(path, str(folder)))
            records = settle(
                entries,
                source=str(path),
                val_fraction=val_fraction,
                test_fraction=test_fraction,
                seed=seed,
                official_groups=official_split,
            )
        super().__init__(folder, records)


def _entries(file: Path, root: str) -> Iterator[Entry]:
    source = str(file)
    rows = read_csv(file)
    _, header = next(rows, (1, []))
    columns = _columns(header, source)
    known = {name: columns.pop(name) for name in KNOWN_COLUMNS if name in columns}
    for line, row in rows:
        cells = {name: row[at] for name, at in known.items()}
        if "" in cells.values():
            empty = next(name for name, cell in cells.items() if not cell)
            raise DatasetError(f"{source}:{line}: the column {empty} is empty; fill it or remove the line")
        path = os.path.normpath(os.path.join(root, cells["path"]))  # noqa: PTH118 - speed, and Path keeps `..`
        split: Split | None = None
        if "split" in cells:
            split = SPLIT_WORDS.get(cells["split"].lower())
            if split is None:
                raise DatasetError(f"{source}:{line}: unknown split {cells['split']!r}; expected train, val or test")
        extra = {name: row[at] for name, at in columns.items()} if columns else _NO_EXTRA
        yield Entry(path, cells["label"], name_inside(path, root), split, cells.get("group"), source, line, extra)


def read_csv(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a csv file that are not blank, cells stripped, each with its line number; the header is the first.

    Raises:
        DatasetError: the file is not UTF-8 or not csv, or a row has another number of cells than the header.
    """
    num_columns = 0
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            for row in reader:
                if not any(row):
                    continue
                num_columns = num_columns or len(row)
                if len(row) != num_columns:
                    raise DatasetError(
                        f"{file}:{reader.line_num}: expected {num_columns} cells as in the header, found {len(row)}; "
                        'put a cell with a comma into "quotes"'
                    )
                yield reader.line_num, [cell.strip() for cell in row]
        except csv.Error as error:
            raise DatasetError(f"{file}:{reader.line_num}: not valid csv: {error}; check the quotes") from error
        except UnicodeDecodeError as error:
            raise DatasetError(f"{file}: not UTF-8 text ({error.reason}); save it as UTF-8") from error


def _columns(header: list[str], source: str) -> dict[str, int]:
    columns = {name.lower() if name.lower() in KNOWN_COLUMNS else name: at for at, name in enumerate(header)}
    absent = [name for name in ("path", "label") if name not in columns]
    if absent:
        other_comma = len(header) == 1 and (";" in header[0] or "\t" in header[0])
        hint = "separate columns by commas" if other_comma else "add a header"
        raise DatasetError(
            f"{source}:1: no column {' or '.join(absent)}; found {first_few(header) or 'nothing'}; {hint}"
        )
    if len(columns) != len(header):
        raise DatasetError(f"{source}:1: two columns of the same name among {', '.join(header)}; rename one")
    return columns
