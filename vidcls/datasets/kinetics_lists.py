"""A folder with the lists of Kinetics, the official csv files or MMAction2's -> the clips that they name, by split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidcls.datasets.checks import first_few
from vidcls.datasets.entries import read_lines
from vidcls.datasets.places import files_in
from vidcls.datasets.split_words import splits_of
from vidcls.datasets.text_table import read_csv
from vidcls.errors import DatasetError
from vidcls.types import Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_WORD = re.compile(r"(?<![a-z])(training|train|validation|validate|valid|val|testing|test)(?![a-z])")
_SECONDS = re.compile(r"_\d{6}_\d{6}$")


@dataclass(frozen=True, slots=True)
class ListedClip:
    """A line of a list.

    Args:
        label: the class.
        stem: the file name without its suffix.
        youtube_id: of the video that the clip was cut from.
        line: line number, from 1.
    """

    label: str
    stem: str
    youtube_id: str
    line: int


def split_in(name: str) -> Split | None:
    """The split that a name such as ``kinetics400_train_list_videos`` or ``train_256`` has in it, the last one."""
    words = _WORD.findall(name.lower())
    return splits_of([words[-1]])[words[-1]] if words else None


def lists_by_split(folder: Place) -> dict[Split, Place]:
    """The official csv files; where there is none to train on, MMAction2's lists.

    Raises:
        DatasetError: there are neither, or two of one split.
    """
    patterns = ("*.csv", "*list*.txt")
    for pattern in patterns:
        files: dict[Split, Place] = {}
        for file in files_in(folder, pattern):
            split = split_in(file.stem)
            if split is None or "rawframes" in file.stem:
                continue
            if split in files:
                raise DatasetError(f"two lists for {split} in {folder}: {files[split].name} and {file.name}; keep one")
            files[split] = file
        if "train" in files:
            return files
    found = first_few(path.name for path in files_in(folder, "*")) or "nothing"
    raise DatasetError(
        f"no training list in {folder}: looked for *train*.csv, as train.csv or kinetics_train.csv, and "
        f"*train*list*.txt, as kinetics400_train_list_videos.txt; found {found}; check the path"
    )


def clips_in(file: Place, split: Split) -> Iterator[ListedClip]:
    """The clips of one list, in order; none where it is that of a test without labels.

    Raises:
        DatasetError: a line is not as described in `Kinetics`.
    """
    return _of_csv(file, split) if file.suffix.lower() == ".csv" else _of_mmaction(file)


def _of_csv(file: Place, split: Split) -> Iterator[ListedClip]:
    rows = read_csv(file)
    _, header = next(rows, (1, []))
    needed = ("youtube_id", "time_start", "time_end")
    if lacking := [name for name in needed if name not in header]:
        raise DatasetError(f"{file}:1: no column {', '.join(lacking)}; expected label, {', '.join(needed)}, split")
    if "label" not in header:
        if split == "test":  # the challenge's test split was published without labels
            return
        raise DatasetError(f"{file}:1: no column label; only the test csv may lack it")
    label_at, id_at, start_at, end_at = (header.index(name) for name in ("label", *needed))
    for line, row in rows:
        label, youtube_id = row[label_at], row[id_at]
        try:
            stem = f"{youtube_id}_{int(float(row[start_at])):06d}_{int(float(row[end_at])):06d}"
        except (ValueError, OverflowError):
            raise DatasetError(f"{file}:{line}: expected seconds, found {row[start_at]!r} to {row[end_at]!r}") from None
        if not label or not youtube_id:
            raise DatasetError(f"{file}:{line}: the label or the youtube_id is empty; fill it or remove the line")
        yield ListedClip(label, stem, youtube_id, line)


def _of_mmaction(file: Place) -> Iterator[ListedClip]:
    """Lines such as ``air_drumming/0347ZoDXyP0_000095_000105.mp4 3``: the folder is the class."""
    number_of: dict[str, str] = {}
    for line, text in read_lines(file):
        path, _, number = text.rpartition(" ")
        folder, _, name = path.strip().rpartition("/")
        label = folder.rpartition("/")[2].replace("_", " ")
        if not label or not number.isdecimal():
            raise DatasetError(f"{file}:{line}: expected a line such as class_name/clip.mp4 0, found {text!r}")
        if number_of.setdefault(label, number) != number:
            raise DatasetError(f"{file}:{line}: {label!r} has the number {number}, but {number_of[label]} above")
        stem = name.rpartition(".")[0]
        yield ListedClip(label, stem, _SECONDS.sub("", stem), line)
