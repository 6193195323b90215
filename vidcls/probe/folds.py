"""Labels and groups of the training videos -> which of them are held out together in cross-validation."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DatasetError, listed

Fold = NDArray[np.intp]  # numbers of the videos that are held out


def check_classes(labels: Sequence[int], class_names: Sequence[str]) -> None:
    """Refuse classes from which nothing can be both learned and held out.

    Raises:
        DatasetError: a class has fewer than two videos.
    """
    counts = Counter(labels)
    if few := [f"{name} ({counts[number]})" for number, name in enumerate(class_names) if counts[number] < 2]:
        raise DatasetError(
            f"a probe needs at least two training videos of each class, but of these there are fewer: {listed(few)}; "
            "add videos, move some to the training split, or remove the class"
        )


def inner_folds(
    labels: Sequence[int],
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
        labels: (N,) numbers of classes, of which each has at least two videos.
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


def held_out_whole(labels: Sequence[int], folds: Sequence[Fold]) -> list[int]:
    """The classes of which one fold has all videos, so that they are not known to the head that is scored on them."""
    by_fold = [set(np.delete(np.asarray(labels), held).tolist()) for held in folds]
    return [label for label in sorted(set(labels)) if any(label not in left for left in by_fold)]


def _can_be_learned(labels: Sequence[int], folds: Sequence[Fold]) -> bool:
    """Whether heads can be fitted without each fold, and some class is known wherever it is held out."""
    fewest = min(len(np.unique(np.delete(np.asarray(labels), held))) for held in folds)
    return fewest > 1 and len(held_out_whole(labels, folds)) < len(set(labels))


def _cut(labels: Sequence[int], units: Sequence[str], num_folds: int, seed: int) -> list[Fold]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

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
