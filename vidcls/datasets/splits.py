"""Entries without a split -> entries with one: a cut by seed, by group, and by class, that depends on names only.

Each group (or single video, where there are no groups) has a rank, the digest of the seed and its name. Every class
hands over its groups in the order of their ranks until it has given its share. So the cut is the same on every
machine, it is stratified, and where groups lie within one class (as single videos do), a class that gains files
leaves the split of all other classes as it was.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence

from vidcls.datasets.checks import first_few
from vidcls.datasets.entries import Entry
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


def cut(entries: Sequence[Entry], *, val_fraction: float, test_fraction: float, seed: int, source: str) -> None:
    """Give every entry a split, whole groups together; fractions are shares of all videos.

    Raises:
        DatasetError: there are too few groups for a split that was asked for.
    """
    for entry in entries:
        entry.split = "train"
    _move(entries, "test", fraction=test_fraction, seed=seed, source=source)
    _move(entries, "val", fraction=val_fraction / (1 - test_fraction), seed=seed, source=source)


def cut_validation(entries: Sequence[Entry], *, val_fraction: float, seed: int, source: str) -> None:
    """Move a share of the training entries, whole groups together, to validation; the test split is not touched.

    Raises:
        DatasetError: there are too few groups in the training split.
    """
    _move(entries, "val", fraction=val_fraction, seed=seed, source=source)


def class_units(classes: Sequence[Sequence[str]], units: Sequence[str]) -> tuple[list[str], list[str]]:
    """Videos with their classes -> a class and the unit of its video for each, as :func:`choose_units` counts them.

    Videos without a class count as a class of their own.
    """
    pairs = [(name, unit) for names, unit in zip(classes, units, strict=True) for name in names or ("",)]
    return [name for name, _ in pairs], [unit for _, unit in pairs]


def choose_units(labels: Sequence[str], units: Sequence[str], *, fraction: float, salt: str) -> set[str]:
    """Some of the units, so that they hold about ``fraction`` of every class's videos, and at least one unit per class.

    A unit (a group, or a single video) is taken only where every class that it holds keeps a video outside; a class
    of one unit therefore gives none.
    """
    sizes: dict[str, dict[str, int]] = {}  # unit -> class -> videos
    units_of: dict[str, list[str]] = {}  # class -> units
    for label, unit in zip(labels, units, strict=True):
        in_unit = sizes.setdefault(unit, {})
        if label not in in_unit:
            units_of.setdefault(label, []).append(unit)
        in_unit[label] = in_unit.get(label, 0) + 1
    total = Counter(labels)
    left = Counter(labels)
    missing = {label: fraction * num_videos for label, num_videos in total.items()}
    chosen: set[str] = set()

    def cost(unit: str) -> float:
        """How much further from their shares the classes of the unit would be with it: negative where nearer."""
        return sum(num * (num - 2 * missing[label]) / total[label] for label, num in sizes[unit].items())

    def take(unit: str) -> bool:
        if unit in chosen or any(left[label] == num_videos for label, num_videos in sizes[unit].items()):
            return False
        chosen.add(unit)
        for label, num_videos in sizes[unit].items():
            left[label] -= num_videos
            missing[label] -= num_videos
        return True

    for label in sorted(units_of, key=lambda label: (len(units_of[label]), label)):  # the rarest class chooses first
        ranked = sorted(units_of[label], key=lambda unit: _rank(unit, salt))
        for unit in ranked:
            if missing[label] <= 0:
                break
            if cost(unit) < 0:
                take(unit)
        if fraction > 0 and chosen.isdisjoint(ranked):  # every unit is too big for the share: the least bad one
            any(take(unit) for unit in sorted(ranked, key=cost))
    return chosen


def _move(entries: Sequence[Entry], split: Split, *, fraction: float, seed: int, source: str) -> None:
    if fraction == 0:
        return
    pool = [entry for entry in entries if entry.split == "train"]
    units = [entry.unit for entry in pool]
    chosen = choose_units(
        *class_units([entry.classes for entry in pool], units), fraction=fraction, salt=f"{seed}/{split}"
    )
    if pool and not chosen:
        raise DatasetError(
            f"too few videos to cut a {split} split from {source}: {len(pool)} videos in {len(set(units))} groups, and "
            f"every class must keep one for training; add videos, or set {split}_fraction to 0"
        )
    for entry, unit in zip(pool, units, strict=True):
        if unit in chosen:
            entry.split = split
    lacking = sorted(_class_names(pool) - _class_names([entry for entry in pool if entry.split == split]))
    if lacking:
        _log.warning("the %s split cut from %s has no video of: %s", split, source, first_few(lacking))


def _class_names(entries: Sequence[Entry]) -> set[str]:
    return {name for entry in entries for name in entry.classes}


def _rank(unit: str, salt: str) -> bytes:
    return hashlib.blake2b(f"{salt}/{unit}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
