"""Entries without a split -> entries with one: a cut by seed, by group, and by class, that depends on names only.

Each group (or single video, where there are no groups) has a rank, the digest of the seed and its name. Every class
hands over its groups in the order of their ranks until it has given its share. So the cut is the same on every
machine, it is stratified, and where groups lie within one class (as single videos do), a class that gains files
leaves the split of all other classes as it was.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.checks import first_few
from vidcls.datasets.entry_table import EntryTable, hashes
from vidcls.datasets.records import CODES
from vidcls.datasets.unit_choice import chosen_units, rank, ranks_of
from vidcls.datasets.video_columns import Rows, encoded
from vidcls.errors import DatasetError
from vidcls.types import Split

_log = logging.getLogger(__name__)


def check_fractions(val_fraction: float, test_fraction: float = 0.0) -> None:
    """Raise ``ValueError`` unless both are shares that leave something to train on."""
    if not (0 <= val_fraction < 1 and 0 <= test_fraction < 1 and val_fraction + test_fraction < 1):
        raise ValueError(
            f"expected fractions of at least 0 that sum to less than 1, got val_fraction={val_fraction} and "
            f"test_fraction={test_fraction}; the rest is for training"
        )


def cut(entries: EntryTable, *, val_fraction: float, test_fraction: float, seed: int, source: str) -> None:
    """Give every entry a split, whole groups together; fractions are shares of all videos.

    Raises:
        DatasetError: there are too few groups for a split that was asked for.
    """
    entries.splits[:] = CODES["train"]
    _move(entries, "test", fraction=test_fraction, seed=seed, source=source)
    _move(entries, "val", fraction=val_fraction / (1 - test_fraction), seed=seed, source=source)


def cut_validation(entries: EntryTable, *, val_fraction: float, seed: int, source: str) -> None:
    """Move a share of the training entries, whole groups together, to validation; the test split is not touched.

    Raises:
        DatasetError: there are too few groups in the training split.
    """
    _move(entries, "val", fraction=val_fraction, seed=seed, source=source)


def _move(entries: EntryTable, split: Split, *, fraction: float, seed: int, source: str) -> None:
    if fraction == 0:
        return
    pool = np.flatnonzero(entries.splits == CODES["train"])
    names: list[str] = [*entries.columns.labels, ""]  # a video without a class counts as one of a class of its own
    units, firsts = _units(entries, pool)
    labels, at = _classes(entries, pool)
    chosen = chosen_units(
        names, labels, units[at], ranks=_ranks(entries, pool[firsts], f"{seed}/{split}"), fraction=fraction
    )
    if len(pool) and not chosen.any():
        raise DatasetError(
            f"too few videos to cut a {split} split from {source}: {len(pool)} videos in {len(firsts)} groups, and "
            f"every class must keep one for training; add videos, or set {split}_fraction to 0"
        )
    entries.splits[pool[chosen[units]]] = CODES[split]
    has_class = labels < len(names) - 1
    lacking = np.setdiff1d(labels[has_class], labels[has_class & chosen[units[at]]])
    if len(lacking):
        missing = sorted(names[code] for code in lacking.tolist())
        _log.warning("the %s split cut from %s has no video of: %s", split, source, first_few(missing))


def _units(entries: EntryTable, pool: Rows) -> tuple[Rows, Rows]:
    """The number of each video's unit, and the first video of each unit, by place in the pool.

    Units are told apart by two numbers of 64 bits, made of their names.
    """
    first, second = (hashes(entries.units(pool, salt), len(pool)) for salt in (b"", b"/"))
    _, firsts, units = np.unique(first, return_index=True, return_inverse=True)
    if (second != second[firsts][units]).any():  # once in a million runs over ten million videos
        both = np.stack([first, second], axis=1)
        _, firsts, units = np.unique(both, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)  # in the order in which they come
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return number[units.reshape(-1)], firsts[order]


def _classes(entries: EntryTable, pool: Rows) -> tuple[NDArray[np.int32], Rows]:
    """The classes of the videos of the pool and the places of these in it, ``(P,)`` both."""
    rows, codes = entries.class_pairs
    if len(rows) == len(entries) and not entries.columns.has("several"):
        return codes[pool], np.arange(len(pool))
    place = np.full(len(entries), -1)
    place[pool] = np.arange(len(pool))
    is_inside = place[rows] >= 0
    at, codes = place[rows[is_inside]], codes[is_inside]
    none = np.setdiff1d(np.arange(len(pool)), at)
    at = np.concatenate([at, none])
    codes = np.concatenate([codes, np.full(len(none), len(entries.columns.labels), codes.dtype)])
    order = np.argsort(at, kind="stable")
    return codes[order], at[order]


def _ranks(entries: EntryTable, rows: Rows, salt: str) -> NDArray[np.uint64]:
    start = encoded(f"{salt}/")
    return ranks_of(rank(start + unit) for unit in entries.units(rows))
