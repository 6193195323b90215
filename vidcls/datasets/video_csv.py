"""A csv file or another list of videos -> records: the columns path and label, and where present split and group."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidcls.datasets.base import VideoDataset, checked_records, collector_paused
from vidcls.datasets.checks import Faults, first_few
from vidcls.datasets.entries import Entry, existing_folder, name_inside
from vidcls.datasets.group_pattern import compiled_group_pattern, group_in
from vidcls.datasets.list_columns import Columns, layout_of
from vidcls.datasets.split_words import splits_of
from vidcls.datasets.splits import check_fractions
from vidcls.datasets.text_table import check_unicode, read_text
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split
from vidcls.video_files import LIST_SUFFIXES, is_address

_NO_EXTRA: dict[str, str] = {}  # shared by all records of a csv without further columns
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class VideoCsv(VideoDataset):
    r"""Videos listed in a csv file, in the order of its lines.

    The plain form is UTF-8 with commas and a header. ``path`` and ``label`` are needed. Without ``split`` (train, val,
    test, or another usual name such as validation) the three splits are cut by class and, where there is a column
    ``group``, by group. With ``split`` but no val in it, validation is cut from the training split in the same way,
    never from test. Every other column is kept in the record's ``extra``.

    Lists of other tools are read too where they can mean one thing only, and `notes` says what was understood: other
    separators (semicolons, tabs, bars, blanks), UTF-16, comments at the start, usual names of columns (``video_path``,
    ``filename``, ``class``), and no header: ``path label`` as SlowFast, PyTorchVideo and VideoMAE have it, ``path
    num_frames label`` with blanks, ``path,label,split``. A folder with ``train.csv``, ``val.csv`` and ``test.csv`` is
    one data set.

    Args:
        path: the csv file, or a folder of one for each split.
        root: folder that the paths in the csv are relative to; default: the folder of the csv.
        val_fraction: share of the videos for validation, where the csv has none; of the training split where test is
            given.
        test_fraction: share of the videos for testing, where the csv has no column split.
        seed: of the cut.
        official_split: keep the split of the csv even where it spreads a group over splits, as those of some published
            data sets do; it is logged in place of refused.
        group_pattern: regular expression searched in the path of a video below ``root``; its first bracket is the
            group, such as ``(person\d+)_``; unused where there is a column ``group``.
        columns: which columns hold path, label, split and group, by name (``{path: clip, label: verb}``) or, in a list
            without a header, by position from 0 (``{path: 0, label: 2}``); default: found by name.

    Raises:
        DatasetError: the csv is unreadable, or contradicts itself or the files; the message has the line number.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
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
        group_pattern: str | None = None,
        columns: dict[str, str | int] | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern = compiled_group_pattern(group_pattern)
        path = Path(path).expanduser()
        files: Mapping[Path, Split | None] = _files_of_splits(path) if path.is_dir() else {path: None}
        if not path.exists():
            raise DatasetError(f"no csv file at {path}: expected a file with the columns path,label; check the path")
        base = path if path.is_dir() else path.parent
        folder = existing_folder(base if root is None else root, what="folder of the videos")
        with collector_paused():
            lists = [_List(file, str(folder), split, columns, pattern) for file, split in files.items()]
            entries = [entry for each in lists for entry in each.entries()]
            faults = Faults()
            records = checked_records(
                entries,
                source=str(path),
                val_fraction=val_fraction,
                test_fraction=test_fraction,
                seed=seed,
                official_groups=official_split,
                faults=faults,
            )
        notes = [note for each in lists for note in each.notes]
        super().__init__(folder, records, source=str(path), notes=notes + _splits_beside(path, lists[0]), faults=faults)


@dataclass
class _List:
    """One file, and what it turns into.

    Args:
        file: the file.
        root: the folder that its paths are relative to.
        split: of all its videos, where the file has no such column.
        columns: see `VideoCsv`.
        pattern: finds the group in a name, where there is no such column.
    """

    file: Path
    root: str
    split: Split | None
    columns: Columns | None
    pattern: re.Pattern[str] | None = None
    notes: list[str] = field(default_factory=list)
    has_split: bool = False

    def entries(self) -> Iterator[Entry]:
        """The videos in the order of the lines."""
        source, root = str(self.file), self.root
        text = read_text(self.file)
        layout = layout_of(text, self.file, root, self.columns)
        self.notes = [f"{self.file.name}: {note}" for note in layout.notes]
        self.has_split = "split" in layout.columns or self.split is not None
        is_text = text.isascii() or not re.search("[\ud800-\udfff]", text)
        splits = _Splits()
        for line, row in layout.rows(text, self.file):
            cells = {name: row[at] for name, at in layout.columns.items()}
            if "" in cells.values():
                empty = next(name for name, cell in cells.items() if not cell)
                raise DatasetError(f"{source}:{line}: the column {empty} is empty; fill it or remove the line")
            path = _path(cells["path"], root, f"{source}:{line}")
            if not is_text:  # a file name may be any bytes, and is right where the file is there
                for cell in row:
                    if cell != cells["path"] or not os.path.lexists(path):
                        check_unicode(cell, f"{source}:{line}")
            extra = {name: row[at] for name, at in layout.extra.items()} if layout.extra else _NO_EXTRA
            name, group = name_inside(path, root), cells.get("group")
            if group is None and self.pattern is not None:
                group = group_in(self.pattern, name, f"{source}:{line}")
            entry = Entry(path, cells["label"], name, self.split, group, source, line, extra)
            if "split" in cells:
                splits.add(cells["split"], entry)
            yield entry
        splits.give(source)


class _Splits:
    """The words of a column of splits, each with its entries: what a word means may depend on the others."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def add(self, word: str, entry: Entry) -> None:
        """One cell of the column."""
        self._entries.setdefault(word, []).append(entry)

    def give(self, source: str) -> None:
        """Set the split of all entries.

        Raises:
            DatasetError: a word is not a split, or could be two.
        """
        try:
            meant = splits_of(self._entries)
        except DatasetError as error:
            raise DatasetError(f"{source}: in the column split, {error}") from error
        for word, entries in self._entries.items():
            if word not in meant:
                raise DatasetError(
                    f"{source}:{entries[0].line}: unknown split {word!r}; expected train, val or test, or another "
                    "usual name of these"
                )
            for entry in entries:
                entry.split = meant[word]


def _path(cell: str, root: str, place: str) -> str:
    """The absolute path of a file that is listed as ``cell``."""
    if is_address(cell):
        raise DatasetError(
            f"{place}: {cell} is an address, and remote files are not read: download the videos and list the local "
            "files"
        )
    if os.sep == "/" and _is_strange(cell) and not os.path.lexists(os.path.join(root, cell)):  # noqa: PTH118
        if _DRIVE.match(cell):
            raise DatasetError(
                f"{place}: {cell} is a Windows path: write paths relative to the folder of the videos, "
                "and pass that as --data.dataset.root"
            )
        cell = os.path.expanduser(cell.replace("\\", "/"))  # noqa: PTH111
    return os.path.normpath(os.path.join(root, cell))  # noqa: PTH118 - speed, and Path keeps `..`


def _is_strange(path: str) -> bool:
    return "\\" in path or path.startswith("~/") or path[1:3] == ":/"


def _files_of_splits(folder: Path) -> dict[Path, Split]:
    """The lists in a folder that are named after splits: ``train.csv``, ``val.csv``, ``test.csv``."""
    for suffix in LIST_SUFFIXES:
        files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() == suffix}
        splits = splits_of(files)
        if "train" not in splits.values():
            continue
        if len(set(splits.values())) < len(splits):
            names = first_few(files[stem].name for stem in splits)
            raise DatasetError(
                f"{folder} holds several lists of one split: {names}; keep one of each, or pass one file"
            )
        return {files[stem]: splits[stem] for stem in sorted(splits, key=lambda stem: SPLITS.index(splits[stem]))}
    others = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in LIST_SUFFIXES)
    hint = (
        f"pass one that is there, such as {folder / others[0]}"
        if others
        else "for a folder of videos by class use --data video_folder"
    )
    raise DatasetError(
        f"no list in the folder {folder}: expected train.csv, val.csv and test.csv in it, or the path of one csv file; "
        f"{hint}"
    )


def _splits_beside(path: Path, read: _List) -> list[str]:
    """A line where a list of one split is read alone, and cut, though those of the others lie beside it."""
    if path.is_dir() or read.has_split:
        return []
    stems = {file.stem: file.name for file in sorted(path.parent.glob(f"*{path.suffix}"))}
    try:
        splits = splits_of(stems)
    except DatasetError:
        return []
    others = [stems[stem] for stem in splits if stem != path.stem]
    if path.stem not in splits or not others:
        return []
    return [
        f"{path.name} alone is cut into train, val and test; to use {first_few(others)} as the other splits, pass the "
        f"folder: --data.dataset.path {path.parent}"
    ]
