"""Records -> how many of each class, split and group: by column where they are a table, by a loop where a list."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.entry_table import hashes
from vidcls.datasets.groups import KnownGroups
from vidcls.datasets.records import RecordTable
from vidcls.datasets.video_columns import decoded, encoded
from vidcls.remote import is_address
from vidcls.types import SPLITS, Split, VideoRecord
from vidcls.video.source import VideoSource, source_at

AT_ONCE = 1000


def in_split(records: Sequence[VideoRecord], name: Split) -> Sequence[VideoRecord]:
    """The records of one split, in order."""
    if isinstance(records, RecordTable):
        return records.split(name)
    return [record for record in records if record.split == name]


def split_counts(records: Sequence[VideoRecord]) -> Counter[Split]:
    """Videos by split; splits without one are left out."""
    if isinstance(records, RecordTable):
        counts = np.bincount(records.codes, minlength=len(SPLITS)).tolist()
        return Counter({split: number for split, number in zip(SPLITS, counts, strict=True) if number})
    return Counter(record.split for record in records)


def class_counts(records: Sequence[VideoRecord]) -> Counter[str]:
    """Videos by class; one of several classes counts in each."""
    if isinstance(records, RecordTable):
        labels = records.columns.labels
        counts = np.bincount(records.class_pairs()[1], minlength=len(labels)).tolist()
        return Counter({labels[code]: number for code, number in enumerate(counts) if number})
    return Counter(name for record in records for name in record.classes)


def labels_of(records: Sequence[VideoRecord]) -> Literal["single", "several"]:
    """How a list of these videos is to be read by :class:`vidcls.datasets.VideoCsv`."""
    if isinstance(records, RecordTable) and not records.columns.has("several"):
        return "single"
    return "several" if any(record.several is not None for record in records) else "single"


def class_pairs(records: Sequence[VideoRecord]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """The number of a video and that of one of its classes, for each class of each video, ``(P,)`` both."""
    if isinstance(records, RecordTable):
        return records.class_pairs()
    numbers: dict[str, int] = {}
    pairs = [
        (video, numbers.setdefault(name, len(numbers)))
        for video, record in enumerate(records)
        for name in record.classes
    ]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def together(parts: Sequence[Sequence[VideoRecord]]) -> Sequence[VideoRecord]:
    """The records of several splits of one data set, one after the other."""
    tables = [part for part in parts if isinstance(part, RecordTable) and part.rows is not None]
    if tables and len(tables) == len(parts) and all(table.columns is tables[0].columns for table in tables):
        rows = np.concatenate([table.rows for table in tables if table.rows is not None])
        return RecordTable(tables[0].columns, tables[0].splits, rows)
    return [record for part in parts for record in part]


def whole_videos(records: Sequence[VideoRecord]) -> Sequence[VideoRecord]:
    """The videos that the records are of or are parts of, each whole and once, in order."""
    if not (records.columns.has_parts if isinstance(records, RecordTable) else any(r.part for r in records)):
        return records
    found = {record.video_name: record for record in reversed(records)}
    return [found.pop(name).with_part(None) for name in dict.fromkeys(record.video_name for record in records)]


def folders_of(records: RecordTable) -> set[str]:
    """The folders that the videos lie in."""
    return {decoded(folder) for some in _places(records) for folder in {os.path.split(path)[0] for path in some}}


def at_places(records: RecordTable, wanted: Collection[str]) -> RecordTable:
    """Those of the records that lie at one of these places, in order."""
    sought = {encoded(place) for place in wanted}
    found = [at for at, path in enumerate(chain.from_iterable(_places(records))) if path in sought]
    rows = np.array(found, dtype=np.int64)
    return RecordTable(records.columns, records.splits, rows if records.rows is None else records.rows[rows])


def paths_or_sources(records: Sequence[VideoRecord]) -> Iterator[Callable[[], list[str | VideoSource]]]:
    """What tells where some of the videos are, one after the other and in order, when it is called."""
    for start in range(0, len(records), AT_ONCE):
        yield partial(_paths_or_sources, records[start : start + AT_ONCE])


def _paths_or_sources(records: Sequence[VideoRecord]) -> list[str | VideoSource]:
    if isinstance(records, RecordTable):
        paths = [row.path for row in records.columns.rows(records.rows)]
        return [source_at(path, asks=False) if is_address(path) else path for path in paths]
    return [record.source for record in records]


def _places(records: RecordTable) -> Iterator[list[bytes]]:
    if records.rows is None:
        yield from records.columns.paths()
        return
    for start in range(0, len(records), AT_ONCE):
        rows = records.rows[start : start + AT_ONCE]
        yield [encoded(row.path) for row in records.columns.rows(rows)]


def known_groups(records: Sequence[VideoRecord]) -> KnownGroups:
    """How much is known of the groups."""
    if isinstance(records, RecordTable):
        groups = group_numbers(records)
        known = groups[groups != 0]
        return KnownGroups(len(records), len(known), len(np.unique(known)))
    return KnownGroups.of(record.group for record in records)


def num_groups(records: Sequence[VideoRecord]) -> int:
    """Different groups, where a video without one counts as of one group more, if there is any."""
    if isinstance(records, RecordTable):
        return len(np.unique(group_numbers(records)))
    return len({record.group for record in records})


def group_numbers(records: RecordTable) -> NDArray[np.int64]:
    """A number for the group of each video ``(N,)``, 0 where none is known or its name is empty."""
    if not records.columns.has("group"):
        return np.zeros(len(records), np.int64)
    numbers = hashes(_groups(records), len(records.columns))
    return numbers if records.rows is None else numbers[records.rows]


def _groups(records: RecordTable) -> Iterator[bytes]:
    for some in records.columns.texts("group"):
        for group in some:
            yield group or b""  # whose hash is 0
