"""Kinetics with its official csv files -> records."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidcls.datasets.base import VideoDataset, settle
from vidcls.datasets.checks import first_few
from vidcls.datasets.entries import Entry, existing_folder
from vidcls.datasets.splits import check_fractions
from vidcls.datasets.text_table import read_csv
from vidcls.datasets.video_files import is_video
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split

_log = logging.getLogger(__name__)
_SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
}
_WORD = re.compile(r"(?<![a-z])(train|validation|validate|val|test)(?![a-z])")


class Kinetics(VideoDataset):
    """Kinetics-400, -600 or -700 (Kay et al., "The Kinetics Human Action Video Dataset", 2017, and its successors).

    Expects in ``annotations`` the official csv files, one for each part, with train, val (or validate, validation) or
    test in their names and the columns label, youtube_id, time_start, time_end; and the clips as
    ``root/train/abseiling/0347ZoDXyP0_000095_000105.mp4`` or without the class folder (its blanks may be
    underscores), the part's folder named by any of those words, in any video format. The group is the YouTube id.
    Where the official test has no labels or no csv, the official validation is ``test`` here and ``val`` is cut from
    train, since validation is never the test set; that is logged.

    Args:
        root: folder of the part folders.
        annotations: folder of the csv files.
        missing: what to do about listed clips that are not there (links die): stop with an error, or skip and log
            them with their number.
        val_fraction: share of the training clips for validation, where it is cut.
        seed: of that cut.

    Raises:
        DatasetError: a csv is missing or not as described, or clips are missing and not to be skipped.
    """

    def __init__(
        self,
        root: Path,
        annotations: Path,
        *,
        missing: Literal["error", "skip"] = "error",
        val_fraction: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_fractions(val_fraction)
        folder = existing_folder(root, what="folder of the clips")
        lists = existing_folder(annotations, what="folder of the csv files")
        files = _csv_files(lists)
        entries: list[Entry] = []
        absent: list[str] = []
        for split in SPLITS:
            if split in files:
                entries.extend(_entries(folder, files[split], split, absent))
        if absent and missing == "error":
            raise DatasetError(
                f"{len(absent)} of {len(entries) + len(absent)} clips are missing in {folder}: {first_few(absent)}; "
                "download them, or leave them out with missing=skip"
            )
        if absent:
            _log.warning(
                "%d of %d clips are missing and left out: %s",
                len(absent),
                len(entries) + len(absent),
                first_few(absent),
            )
        if all(entry.split != "test" for entry in entries):
            _log.warning(
                "no labelled test part in %s: its validation is the test part, and validation is cut from train", lists
            )
            for entry in entries:
                entry.split = "test" if entry.split == "val" else entry.split
        super().__init__(
            folder,
            settle(
                entries, source=str(lists), val_fraction=val_fraction, seed=seed, official_groups=True, files_exist=True
            ),
        )


def _csv_files(lists: Path) -> dict[Split, Path]:
    files: dict[Split, Path] = {}
    for file in sorted(lists.glob("*.csv")):
        words = _WORD.findall(file.stem.lower())
        if not words:
            continue
        split = _SPLIT_WORDS[words[-1]]
        if split in files:
            raise DatasetError(f"two csv files for {split} in {lists}: {files[split].name} and {file.name}; keep one")
        files[split] = file
    if "train" not in files:
        raise DatasetError(f"no training csv in {lists}: expected a file such as train.csv; check the path")
    return files


def _entries(root: Path, file: Path, split: Split, absent: list[str]) -> list[Entry]:
    rows = read_csv(file)
    _, header = next(rows, (1, []))
    needed = ("youtube_id", "time_start", "time_end")
    if lacking := [name for name in needed if name not in header]:
        raise DatasetError(f"{file}:1: no column {', '.join(lacking)}; expected label, {', '.join(needed)}, split")
    if "label" not in header:
        if split == "test":  # the challenge's test part was published without labels
            return []
        raise DatasetError(f"{file}:1: no column label; only the test csv may lack it")
    label_at, id_at, start_at, end_at = (header.index(name) for name in ("label", *needed))
    clips = _Clips(_part_folders(root, split))
    entries: list[Entry] = []
    for line, row in rows:
        label, youtube_id = row[label_at], row[id_at]
        try:
            stem = f"{youtube_id}_{int(float(row[start_at])):06d}_{int(float(row[end_at])):06d}"
        except ValueError:
            raise DatasetError(f"{file}:{line}: expected seconds, found {row[start_at]!r} to {row[end_at]!r}") from None
        if not label or not youtube_id:
            raise DatasetError(f"{file}:{line}: the label or the youtube_id is empty; fill it or remove the line")
        path = clips.find(label, stem)
        if path is None:
            absent.append(f"{file}:{line} -> {stem}")
        else:
            name = path[len(str(root)) + 1 :].replace(os.sep, "/")
            entries.append(Entry(path, label, name, split, youtube_id, str(file), line))
    return entries


def _part_folders(root: Path, split: Split) -> list[Path]:
    return [root / word for word, part in _SPLIT_WORDS.items() if part == split and (root / word).is_dir()]


class _Clips:
    """Finds clips by class and file name without suffix; lists each folder once."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = parts
        self._listings: dict[Path, dict[str, str]] = {}

    def find(self, label: str, stem: str) -> str | None:
        for part in self._parts:
            for folder in (part / label, part / label.replace(" ", "_"), part):
                if stem in (listing := self._listing(folder)):
                    return listing[stem]
        return None

    def _listing(self, folder: Path) -> dict[str, str]:
        if folder not in self._listings:
            found: dict[str, str] = {}
            if folder.is_dir():
                with os.scandir(folder) as items:
                    found = {
                        Path(item.name).stem: item.path for item in items if is_video(item.name) and item.is_file()
                    }
            self._listings[folder] = found
        return self._listings[folder]
