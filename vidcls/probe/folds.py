"""Labels and groups of the training videos -> which of them are held out together in cross-validation."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DatasetError, listed

Fold = NDArray[np.intp]  # numbers of the videos that are held out
Labels = Sequence[int] | NDArray[np.integer]
"""Numbers of classes ``(N,)``; or ``(N, K)`` of 1 and 0, where videos may have several."""


def check_classes(labels: Labels, class_names: Sequence[str]) -> None:
    """Refuse classes from which nothing can be both learned and held out.

    Raises:
        DatasetError: a class has fewer than two videos.
    """
    counts = Counter(np.nonzero(np.asarray(labels))[1].tolist() if np.ndim(labels) == 2 else labels)
    if few := [f"{name} ({counts[number]})" for number, name in enumerate(class_names) if counts[number] < 2]:
        raise DatasetError(
            f"a probe needs at least two training videos of each class, but of these there are fewer: {listed(few)}; "
            "add videos, move some to the training split, or remove the class"
        )


def inner_folds(
    labels: Labels,
    groups: Sequence[str | None],
    num_folds: int,
    *,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _line: None,
) -> list[Fold]:
    """Parts of the training videos, each held out once: groups stay whole, classes are spread evenly.

    A video without a group is a group of its own. Where all videos are of one group, or groups and classes are the same
    so that a fold could not be learned from the others, videos are divided as if they had no group, which is told.
    There are never more folds than groups, nor than videos of the smallest class.

    Args:
        labels: (N,) numbers of classes, of which each has at least two videos; or (N, K) of several labels.
        groups: (N,) names; None or empty for none.
        num_folds: as many as possible up to this.
        seed: of the division.
        tell: takes a line for the user.
    """
    single = [f"video {number}" for number in range(len(labels))]
    units = [f"group {group}" if group else own for group, own in zip(groups, single, strict=True)]
    if len(set(units)) == 1:
        tell("all training videos are of one group: the cross-validation that chooses the heads divides it, so that "
             "its score is optimistic for videos of other groups")  # fmt: skip
        units = single
    folds = _cut(labels, units, num_folds, seed)
    if not _can_be_learned(labels, folds):
        tell("the videos of a class are of one group, so that no head could be fitted while they are held out: the "
             "cross-validation that chooses the heads divides groups, and its score is optimistic for videos of other "
             "groups")  # fmt: skip
        folds = _cut(labels, single, num_folds, seed)
    if len(folds) < num_folds:
        tell(
            f"the heads are chosen by {len(folds)}-fold cross-validation, since there are no more groups or videos of "
            "a class"
        )
    return folds


def held_out_whole(labels: Labels, folds: Sequence[Fold]) -> list[int]:
    """The classes of which one fold has all videos, so that they are not known to the head that is scored on them."""
    by_fold = [_classes(np.delete(np.asarray(labels), held, axis=0)) for held in folds]
    return [label for label in sorted(_classes(labels)) if any(label not in left for left in by_fold)]


def _classes(labels: Labels) -> set[int]:
    """The numbers of the classes that occur, of labels ``(N,)`` or ``(N, K)``."""
    found = np.asarray(labels)
    return set(np.flatnonzero(found.any(axis=0)).tolist() if found.ndim == 2 else found.tolist())


def _can_be_learned(labels: Labels, folds: Sequence[Fold]) -> bool:
    """Whether heads can be fitted without each fold, and some class is known wherever it is held out."""
    fewest = min(len(_classes(np.delete(np.asarray(labels), held, axis=0))) for held in folds)
    return fewest > 1 and len(held_out_whole(labels, folds)) < len(_classes(labels))


def _cut(labels: Labels, units: Sequence[str], num_folds: int, seed: int) -> list[Fold]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

    if np.ndim(labels) == 2:  # of which each has a set of classes: there may be as many sets as videos
        cutter = GroupKFold(min(num_folds, len(set(units))), shuffle=True, random_state=seed)
        return [held for _, held in cutter.split(np.zeros(len(labels)), groups=units)]
    num = min(num_folds, len(set(units)), min(Counter(labels).values()))
    places = np.zeros(len(labels))
    cutter = (StratifiedKFold if len(set(units)) == len(units) else StratifiedGroupKFold)(
        num, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes in fewer groups than folds
        folds = [held for _, held in cutter.split(places, labels, units)]
    if not all(len(held) for held in folds):  # the greedy stratification may leave a fold empty; sizes alone never do
        folds = [held for _, held in GroupKFold(num).split(places, labels, units)]
    return folds
