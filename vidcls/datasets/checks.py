"""Entries -> nothing, or one `DatasetError` that says which lines contradict each other and what to do.

Each check finds by column the entries that can be at fault, and looks at these alone: of ten million, none as a rule.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations

import numpy as np

from vidcls.datasets.entries import Entry
from vidcls.datasets.entry_table import EntryTable, hashes, repeated
from vidcls.datasets.missing_rows import missing_rows
from vidcls.datasets.records import CODES
from vidcls.datasets.video_columns import Rows
from vidcls.errors import DatasetError
from vidcls.types import SPLITS
from vidcls.video_part import VideoPart

NUM_SHOWN = 5
_log = logging.getLogger(__name__)


class Faults:
    """What contradicts in a data set or is missing, in the order in which it was found; see `UnsoundDatasetError`."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A `DatasetError` of the block is noted, and what comes after it is looked at all the same."""
        try:
            yield
        except DatasetError as error:
            self.found.append(str(error))


def first_few(items: Iterable[str], *, num_more: int = 0) -> str:
    """The first five, and how many more there are, with ``num_more`` that are not among the items.

    >>> first_few("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    texts = list(items)
    more = max(0, len(texts) - NUM_SHOWN) + num_more
    return ", ".join(texts[:NUM_SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_not_empty(entries: Sequence[Entry], source: str) -> None:
    """Raise `DatasetError` where there is no video at all."""
    if not entries:
        raise DatasetError(f"no videos in {source}: expected at least two classes with training videos; check the path")


def check_duplicates(entries: EntryTable) -> None:
    """Raise `DatasetError` where one file, or one part of it, is listed twice, in one split or in two."""
    has_twice = len(entries.different_paths) < len(entries)
    suspects = repeated(entries.sample_hashes) if has_twice else np.zeros(0, np.int64)
    if entries.columns.has("place"):  # else equal names are equal paths
        names = hashes((name for some in entries.columns.texts("name") for name in some), len(entries))
        suspects = np.union1d(suspects, repeated(names))
    _check_each_once(entries.some(suspects))


def _check_each_once(entries: Sequence[Entry]) -> None:
    first: dict[tuple[str, VideoPart | None], Entry] = {}
    paths: dict[str, str] = {}  # by name
    twice: list[str] = []
    hint = ""
    for entry in entries:
        other = first.setdefault((entry.path, entry.part), entry)
        if other is not entry:
            if other.split != entry.split:
                what = f"in two splits ({other.split} and {entry.split})"
            else:
                what = (
                    "twice" if other.label == entry.label else f"with two labels ({other.label!r} and {entry.label!r})"
                )
            if other.split == entry.split and other.label != entry.label:
                hint = ", or pass --task multi_label, in which a video may have several labels"
            part = "" if entry.part is None else f" {entry.part.text}"
            twice.append(f"{entry.place} lists {entry.name}{part} {what}, first in {other.place}")
        elif paths.setdefault(entry.name, entry.path) != entry.path:
            twice.append(f"{entry.place} has the name {entry.name} of another file")
    if twice:
        kind = "part" if any(entry.part is not None for entry in entries) else "file"
        raise DatasetError(f"duplicate videos: {first_few(twice)}; keep one line for each {kind}{hint}")


def check_files(entries: EntryTable) -> None:
    """Raise `DatasetError` where a listed file does not exist."""
    absent = missing_rows(entries)
    if len(absent):
        lost = entries.some(absent[:NUM_SHOWN])
        hint = (
            "use forward slashes in paths"
            if "\\" in lost[0].name
            else "remove the lines or check the folder of the videos"
        )
        shown = [f"{entry.place} -> {entry.path}" if entry.line else entry.path for entry in lost]
        places = first_few(shown, num_more=len(absent) - len(lost))
        raise DatasetError(f"{len(absent)} of {len(entries)} videos are missing: {places}; {hint}")


def check_groups(entries: EntryTable, *, official: bool = False) -> None:
    """Raise `DatasetError` where one group is in two splits; for an ``official`` split, log a warning in its place."""
    suspects = entries.some(_rows_of_split_groups(entries))
    first: dict[str, Entry] = {}
    across: dict[str, str] = {}
    for entry in suspects:
        if entry.group is None or entry.split is None:
            continue
        other = first.setdefault(entry.group, entry)
        if other.split != entry.split and entry.group not in across:
            across[entry.group] = f"{entry.group} ({other.split} in {other.place}, {entry.split} in {entry.place})"
    if not across:
        return
    found = f"groups in two splits: {first_few(across.values())}"
    if not official:
        raise DatasetError(
            f"{found}; a test on a group that was trained on is no test: put each group into one split, or drop the "
            "given splits and cut folds by group with --data.num_folds"
        )
    _log.warning("%s; the official split is kept for comparison with papers, its scores are optimistic", found)


def _rows_of_split_groups(entries: EntryTable) -> Rows:
    """The videos, ascending, of groups that may be in two splits."""
    if not entries.columns.has("group") or len(entries.given_splits - {None}) < 2:
        return np.zeros(0, np.int64)
    cells = (group for some in entries.columns.texts("group") for group in some)
    groups = hashes((b"" if group is None else group for group in cells), len(entries))
    by_split = [np.unique(groups[entries.splits == CODES[split]]) for split in SPLITS]
    common = [np.intersect1d(one, other, assume_unique=True) for one, other in combinations(by_split, 2)]
    across = np.unique(np.concatenate(common))
    return np.flatnonzero(np.isin(groups, across)) if len(across) else np.zeros(0, np.int64)


def check_label_text(entries: EntryTable) -> None:
    """Raise `DatasetError` where a label cannot be shown on a line or written to a file of text."""
    for entry, name in _first_of_each_class(entries):
        kinds = {unicodedata.category(character) for character in name}
        if "Cs" in kinds:
            fault = "is not valid Unicode"
        elif kinds & {"Cc", "Zl", "Zp"}:
            fault = "has a control character or a line break"
        else:
            continue
        raise DatasetError(f"{entry.place}: the label {name!a} {fault}: rename the class")


def _first_of_each_class(entries: EntryTable) -> Iterator[tuple[Entry, str]]:
    """The classes in the order in which they come, each with the first video of it."""
    rows, codes = entries.class_pairs
    found, firsts = np.unique(codes, return_index=True)
    for code, first in sorted(zip(found.tolist(), firsts.tolist(), strict=True), key=lambda pair: pair[1]):
        yield entries[int(rows[first])], entries.columns.labels[code]


def check_labels(entries: EntryTable, source: str) -> None:
    """Raise `DatasetError` where there is no training video, one class only, or a class that is never trained on."""
    rows, codes = entries.class_pairs
    trained_codes = np.unique(codes[entries.splits[rows] == CODES["train"]])
    trained = {entries.columns.labels[code] for code in trained_codes.tolist()}
    if not trained and (entries.splits == CODES["train"]).any():
        raise DatasetError(
            f"no training video in {source} has a label: expected videos of at least two classes; check the column of "
            "the labels"
        )
    if not trained:
        raise DatasetError(f"no training videos in {source}: expected split train for some; found only other splits")
    unknown = {name: entry for entry, name in _first_of_each_class(entries) if name not in trained}
    if unknown:
        places = first_few(f"{label!r} ({entry.split}, {entry.place})" for label, entry in unknown.items())
        raise DatasetError(
            f"unknown labels, without a training video: {places}; training has {first_few(sorted(trained))}; "
            "correct the label or add training videos"
        )
    if len(trained) < 2:
        raise DatasetError(
            f"only one class, {next(iter(trained))!r}, in {source}: expected at least two; add videos of another"
        )
