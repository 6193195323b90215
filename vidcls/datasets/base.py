"""What every data set is: a root, a sorted list of class names and one `VideoRecord` per video; never pixels."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from vidcls.datasets.checks import (
    Faults,
    check_duplicates,
    check_files,
    check_groups,
    check_label_text,
    check_labels,
    check_not_empty,
)
from vidcls.datasets.entries import Entry
from vidcls.datasets.entry_table import EntryTable
from vidcls.datasets.record_facts import class_counts, in_split
from vidcls.datasets.records import as_table
from vidcls.datasets.splits import cut, cut_validation
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split, VideoRecord

if TYPE_CHECKING:
    from vidcls.remote.places import Place


class UnsoundDatasetError(DatasetError):
    """A data set contradicts itself or its files; says what was found first.

    Args:
        dataset: made in spite of it, for commands that look at such data sets.
        faults: all that was found.
    """

    def __init__(self, dataset: VideoDataset, faults: Sequence[str]) -> None:
        super().__init__(faults[0])
        self.dataset = dataset
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[type[DatasetError], tuple[str]]:
        """To other processes it says the first fault."""
        return DatasetError, (str(self),)


class VideoDataset(ABC):
    """Which videos exist, what they are called and which split they belong to.

    A subclass lists its videos as entries in ``__init__``, turns them into records with `checked_records`, and hands
    them to ``super().__init__``, with one `Faults` for both; that is all. Making one reads annotations and lists
    folders, but writes nothing and opens no video.

    Attributes:
        root: the folder that record names are relative to.
        class_names: sorted; the index of a name is its class index.
        records: every video once, in an order that depends on the data only; a sequence that makes each record when
            it is asked for.
        source: what to call the data set in messages: its folder, or the list that it was read from.
        notes: what a reader should know of how the data was understood, a line each; often none.
    """

    root: Place
    class_names: list[str]
    records: Sequence[VideoRecord]
    source: str = ""
    notes: Sequence[str] = ()

    @abstractmethod
    def __init__(
        self,
        root: Place,
        records: Sequence[VideoRecord],
        *,
        source: str | None = None,
        notes: Sequence[str] = (),
        faults: Faults | None = None,
    ) -> None:
        self.root = root
        self.records = as_table(records)
        self.source = str(root) if source is None else source
        self.notes = tuple(notes)
        self.class_names = sorted(class_counts(self.records))
        if faults is not None and faults.found:
            raise UnsoundDatasetError(self, faults.found)

    def prepare(self) -> None:  # noqa: B027 - most data sets lie ready on disk
        """Write what must exist before the first video is read; does nothing where the files already exist."""

    def split(self, name: Split) -> Sequence[VideoRecord]:
        """The records of one split, in order.

        Raises:
            ValueError: the name is not one of train, val, test.
        """
        if name not in SPLITS:
            raise ValueError(f"unknown split {name!r}: expected one of {', '.join(SPLITS)}")
        return in_split(self.records, name)


def checked_records(
    entries: Iterable[Entry],
    *,
    source: str,
    val_fraction: float,
    test_fraction: float = 0.0,
    seed: int = 0,
    official_groups: bool = False,
    files_exist: bool = False,
    faults: Faults | None = None,
) -> Sequence[VideoRecord]:
    """Check the entries, cut the splits that are missing, and return them as records, in the same order.

    Where no entry has a split, all three are cut; where there is no validation, it is cut from the training split,
    never from test.

    Args:
        entries: every video of the data set, one by one or as a table.
        source: what to call the data set in messages: its annotation or its folder.
        val_fraction: share of the videos for validation, where it is cut.
        test_fraction: share of the videos for testing, where no split is given at all.
        seed: of the cut.
        official_groups: log a group in two splits in place of refusing it.
        files_exist: the files were listed just now, so that they need no check.
        faults: takes what is wrong, for the base of the data set to raise; None raises the first at once.

    Raises:
        DatasetError: the data set is empty, or contradicts itself or its files.
    """
    noted = nullcontext if faults is None else faults.noted
    entries = EntryTable.of(entries)
    with noted():
        check_not_empty(entries, source)
    check_label_text(entries)
    with noted():
        check_duplicates(entries)
    if not files_exist:
        with noted():
            check_files(entries)
    with noted():
        check_groups(entries, official=official_groups)
    given = entries.given_splits
    with noted():
        if given == {None}:
            cut(entries, val_fraction=val_fraction, test_fraction=test_fraction, seed=seed, source=source)
        elif "val" not in given:
            cut_validation(entries, val_fraction=val_fraction, seed=seed, source=source)
    with noted():
        check_labels(entries, source)
    return entries.records()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Make many objects twice as fast: the garbage collector would look through all of them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
