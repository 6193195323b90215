"""Entries -> nothing, or one `DatasetError` that says which lines contradict each other and what to do."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from vidcls.datasets.entries import Entry
from vidcls.errors import DatasetError
from vidcls.video_files import missing_files

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


def first_few(items: Iterable[str]) -> str:
    """The first five, and how many more there are.

    >>> first_few("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    texts = list(items)
    more = len(texts) - NUM_SHOWN
    return ", ".join(texts[:NUM_SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_not_empty(entries: Sequence[Entry], source: str) -> None:
    """Raise `DatasetError` where there is no video at all."""
    if not entries:
        raise DatasetError(f"no videos in {source}: expected at least two classes with training videos; check the path")


def check_duplicates(entries: Sequence[Entry]) -> None:
    """Raise `DatasetError` where one file is listed twice, in one split or in two."""
    first: dict[str, Entry] = {}
    names: set[str] = set()
    twice: list[str] = []
    for entry in entries:
        other = first.setdefault(entry.path, entry)
        if other is not entry:
            if other.split != entry.split:
                what = f"in two splits ({other.split} and {entry.split})"
            else:
                what = (
                    "twice" if other.label == entry.label else f"with two labels ({other.label!r} and {entry.label!r})"
                )
            twice.append(f"{entry.place} lists {entry.name} {what}, first in {other.place}")
        elif entry.name in names:
            twice.append(f"{entry.place} has the name {entry.name} of another file")
        names.add(entry.name)
    if twice:
        raise DatasetError(f"duplicate videos: {first_few(twice)}; keep one line for each file")


def check_files(entries: Sequence[Entry]) -> None:
    """Raise `DatasetError` where a listed file does not exist."""
    absent = missing_files(entry.path for entry in entries)
    if absent:
        lost = [entry for entry in entries if entry.path in absent]
        hint = (
            "use forward slashes in paths"
            if "\\" in lost[0].name
            else "remove the lines or check the folder of the videos"
        )
        places = first_few(f"{entry.place} -> {entry.path}" if entry.line else entry.path for entry in lost)
        raise DatasetError(f"{len(lost)} of {len(entries)} videos are missing: {places}; {hint}")


def check_groups(entries: Sequence[Entry], *, official: bool = False) -> None:
    """Raise `DatasetError` where one group is in two splits; for an ``official`` split, log a warning in its place."""
    first: dict[str, Entry] = {}
    across: dict[str, str] = {}
    for entry in entries:
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


def check_label_text(entries: Sequence[Entry]) -> None:
    """Raise `DatasetError` where a label cannot be shown on a line or written to a file of text."""
    seen: set[str] = set()
    for entry, name in _with_classes(entries):
        if name in seen:
            continue
        seen.add(name)
        kinds = {unicodedata.category(character) for character in name}
        if "Cs" in kinds:
            fault = "is not valid Unicode"
        elif kinds & {"Cc", "Zl", "Zp"}:
            fault = "has a control character or a line break"
        else:
            continue
        raise DatasetError(f"{entry.place}: the label {name!a} {fault}: rename the class")


def _with_classes(entries: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
    for entry in entries:
        for name in entry.classes:
            yield entry, name


def check_labels(entries: Sequence[Entry], source: str) -> None:
    """Raise `DatasetError` where there is no training video, one class only, or a class that is never trained on."""
    trained = {name for entry in entries if entry.split == "train" for name in entry.classes}
    if not trained:
        raise DatasetError(f"no training videos in {source}: expected split train for some; found only other splits")
    unknown: dict[str, Entry] = {}
    for entry, name in _with_classes(entries):
        if name not in trained:
            unknown.setdefault(name, entry)
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
