"""Units (groups, or single videos) with their classes -> those that make up a share of every class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.video_columns import Rows, encoded

AT_ONCE = 4096


def class_units(classes: Sequence[Sequence[str]], units: Sequence[str]) -> tuple[list[str], list[str]]:
    """Videos with their classes -> a class and the unit of its video for each, as :func:`choose_units` counts them.

    Videos without a class count as a class of their own.
    """
    pairs = [(name, unit) for names, unit in zip(classes, units, strict=True) for name in names or ("",)]
    return [name for name, _ in pairs], [unit for _, unit in pairs]


def choose_units(labels: Sequence[str], units: Sequence[str], *, fraction: float, salt: str) -> set[str]:
    """Some of the units, so that they hold about ``fraction`` of every class's videos, and at least one unit per class.

    See :func:`chosen_units`, which takes numbers in place of names.
    """
    names, keys = list(dict.fromkeys(labels)), list(dict.fromkeys(units))
    label_of, unit_of = ({name: code for code, name in enumerate(each)} for each in (names, keys))
    ranks = ranks_of(rank(encoded(f"{salt}/{unit}")) for unit in keys)
    codes = np.array([label_of[label] for label in labels], dtype=np.int64)
    chosen = chosen_units(
        names, codes, np.array([unit_of[unit] for unit in units], dtype=np.int64), ranks=ranks, fraction=fraction
    )
    return {keys[unit] for unit in np.flatnonzero(chosen).tolist()}


def rank(unit: bytes) -> bytes:
    """Eight bytes that are as good as drawn for each unit; units are chosen in their order."""
    return hashlib.blake2b(unit, digest_size=8).digest()


def ranks_of(digests: Iterable[bytes]) -> NDArray[np.uint64]:
    """The ranks as numbers of the same order."""
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def chosen_units(
    names: Sequence[str], labels: NDArray[np.integer], units: Rows, *, ranks: NDArray[np.uint64], fraction: float
) -> NDArray[np.bool_]:
    """Which units ``(U,)`` are taken, so that they hold about ``fraction`` of every class's videos, and at least one.

    A unit is taken only where every class that it holds keeps a video outside; a class of one unit therefore gives
    none. The rarest class chooses first.

    Args:
        names: of the classes.
        labels: a class ``(P,)`` by its number for each video, several where it has several.
        units: the unit of that video ``(P,)``, from 0.
        ranks: of the units ``(U,)``.
        fraction: share of the videos.
    """
    chosen = np.zeros(len(ranks), dtype=np.bool_)
    if not len(labels):
        return chosen
    pairs, firsts, counts = np.unique(
        units.astype(np.int64) * len(names) + labels, return_index=True, return_counts=True
    )
    unit_of, label_of = np.divmod(pairs, len(names))
    del pairs
    held = _Held(unit_of, label_of, counts, firsts, len(ranks))
    by_label = np.lexsort((firsts, label_of))
    ends = np.cumsum(np.bincount(label_of, minlength=len(names)))
    total = np.bincount(labels, minlength=len(names)).tolist()
    left = list(total)
    missing = [fraction * num_videos for num_videos in total]

    def cost(unit: int) -> float:
        """How much further from their shares the classes of the unit would be with it: negative where nearer."""
        return sum(num * (num - 2 * missing[label]) / total[label] for label, num in held.by(unit))

    def take(unit: int) -> bool:
        sizes = held.by(unit)
        if chosen[unit] or any(left[label] == num_videos for label, num_videos in sizes):
            return False
        chosen[unit] = True
        for label, num_videos in sizes:
            left[label] -= num_videos
            missing[label] -= num_videos
        return True

    num_units = np.diff(ends, prepend=0).tolist()
    present = [code for code in range(len(names)) if num_units[code]]
    for label in sorted(present, key=lambda code: (num_units[code], names[code])):
        mine = by_label[ends[label] - num_units[label] : ends[label]]
        ranked = unit_of[mine[np.argsort(ranks[unit_of[mine]], kind="stable")]]
        least = int(counts[mine].min()) if held.is_single[unit_of[mine]].all() else 0
        for unit in _one_by_one(ranked):
            if (
                missing[label] <= 0 or least >= 2 * missing[label]
            ):  # the latter: any would overshoot by more than it fills
                break
            if cost(unit) < 0:
                take(unit)
        if fraction > 0 and not chosen[ranked].any():  # every unit is too big for the share: the least bad one
            any(take(unit) for unit in sorted(ranked.tolist(), key=cost))
    return chosen


class _Held:
    """The classes of each unit with the number of its videos, in the order in which they come."""

    def __init__(self, unit_of: Rows, label_of: Rows, counts: Rows, firsts: Rows, num_units: int) -> None:
        order = np.lexsort((firsts, unit_of))
        self._labels, self._counts = label_of[order], counts[order]
        num_classes = np.bincount(unit_of, minlength=num_units)
        self._ends = np.cumsum(num_classes)
        self.is_single = num_classes == 1

    def by(self, unit: int) -> list[tuple[int, int]]:
        start, end = self._ends[unit - 1] if unit else 0, self._ends[unit]
        return list(zip(self._labels[start:end].tolist(), self._counts[start:end].tolist(), strict=True))


def _one_by_one(units: Rows) -> Iterator[int]:
    """As plain numbers, without making all of them."""
    for start in range(0, len(units), AT_ONCE):
        yield from units[start : start + AT_ONCE].tolist()
