"""Records -> the same records with train, val and test cut again: grouped k-fold cross-validation."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vidcls.datasets.checks import first_few
from vidcls.datasets.records import RecordTable
from vidcls.datasets.unit_choice import choose_units, class_units
from vidcls.errors import DatasetError
from vidcls.types import Split, VideoRecord

_log = logging.getLogger(__name__)


def refold(
    records: Sequence[VideoRecord], num_folds: int, fold: int, *, seed: int = 0, val_fraction: float = 0.15
) -> Sequence[VideoRecord]:
    """All records, in their order, with new splits: fold ``fold`` is test, some of the rest val, what is left train.

    The splits that the records had are pooled and forgotten. Groups stay whole and classes are spread as evenly as
    groups allow (StratifiedGroupKFold), or with another seed than 0 groups are shuffled and dealt in turn, whatever
    their classes are; a video without a group is a group of its own. As many folds as groups leave
    out one group each, in the order of their names. Validation is cut from the training split by group: about
    ``val_fraction`` of it, at least one group.

    Args:
        records: of a whole data set.
        num_folds: how many folds; every video is tested in exactly one of them.
        fold: which of them is the test split, 0 to ``num_folds - 1``.
        seed: of the cut.
        val_fraction: share of the training split for validation.

    Raises:
        ValueError: ``fold`` is not one of the folds, or there are fewer than two.
        DatasetError: there are fewer groups than folds, or a class has no training video left.
    """
    if num_folds < 2:
        raise ValueError(f"expected at least 2 folds, got num_folds={num_folds}")
    if not 0 <= fold < num_folds:
        raise ValueError(f"fold {fold} is not one of the {num_folds} folds: expected 0 to {num_folds - 1}")
    units = [f"group/{r.group}" if r.group is not None else f"video/{r.name}" for r in records]
    labels = [record.label for record in records]
    test = _test_units(labels, units, num_folds, seed)[fold]
    pool = [index for index, unit in enumerate(units) if unit not in test]
    pool_classes, pool_units = [records[index].classes for index in pool], [units[index] for index in pool]
    names = {name for record in records for name in record.classes}
    _check_trained(names - {name for classes in pool_classes for name in classes}, f"fold {fold} of {num_folds}")
    val = choose_units(*class_units(pool_classes, pool_units), fraction=val_fraction, salt=f"{seed}/val/{fold}")
    if not val:
        raise DatasetError(
            f"no group is left for validation in fold {fold} of {num_folds}: {len(set(pool_units))} groups remain, "
            "and every class must keep one for training; add videos of other groups"
        )
    splits: list[Split] = ["test" if unit in test else "val" if unit in val else "train" for unit in units]
    for wanted in ("val", "test"):
        lacking = sorted(
            names
            - {
                name
                for record, split in zip(records, splits, strict=True)
                if split == wanted
                for name in record.classes
            }
        )
        if lacking:
            _log.warning("fold %d of %d: the %s split has no video of: %s", fold, num_folds, wanted, first_few(lacking))
    if isinstance(records, RecordTable):
        return records.of_splits(splits)
    return [replace(record, split=split) for record, split in zip(records, splits, strict=True)]


def revalidate(records: Sequence[VideoRecord], num_folds: int, fold: int, *, seed: int = 0) -> Sequence[VideoRecord]:
    """All records, in their order, with train and val cut again: fold ``fold`` of both together is val, the rest train.

    The test split stays as it is and has no part in the cut, so that settings can be chosen by cross-validation and the
    test be run once. Groups stay whole, as in :func:`refold`.

    Args:
        records: of a whole data set.
        num_folds: how many folds; every video but those of the test is validated on in exactly one of them.
        fold: which of them is the validation split, 0 to ``num_folds - 1``.
        seed: of the cut.

    Raises:
        ValueError: ``fold`` is not one of the folds, or there are fewer than two.
        DatasetError: there are fewer groups than folds, or a class has no training video left.
    """
    if num_folds < 2 or not 0 <= fold < num_folds:
        raise ValueError(f"val_fold is {fold} of val_folds {num_folds}: expected 0 to val_folds - 1, of at least 2")
    places = [place for place, record in enumerate(records) if record.split != "test"]
    pool = [records[place] for place in places]
    units = [f"group/{r.group}" if r.group is not None else f"video/{r.name}" for r in pool]
    val = _test_units([record.label for record in pool], units, num_folds, seed, option="--data.val_folds")[fold]
    names = {name for record in pool for name in record.classes}
    trained = {name for record, unit in zip(pool, units, strict=True) if unit not in val for name in record.classes}
    _check_trained(names - trained, f"validation fold {fold} of {num_folds}")
    splits: list[Split] = [record.split for record in records]
    for place, unit in zip(places, units, strict=True):
        splits[place] = "val" if unit in val else "train"
    if isinstance(records, RecordTable):
        return records.of_splits(splits)
    return [replace(record, split=split) for record, split in zip(records, splits, strict=True)]


def _test_units(
    labels: list[str], units: list[str], num_folds: int, seed: int, *, option: str = "--data.num_folds"
) -> list[set[str]]:
    """The units of each fold's test split; together all units, each once."""
    names = sorted(set(units))
    if len(names) < num_folds:
        raise DatasetError(
            f"{num_folds} folds need at least {num_folds} groups, found {len(names)}: {first_few(_plain(names))}; "
            f"lower {option}"
        )
    if len(names) == num_folds:
        return [{name} for name in names]
    if seed:  # what StratifiedGroupKFold shuffles hardly changes its folds
        order = np.random.default_rng(seed).permutation(len(names))
        return [{names[k] for k in order[fold::num_folds]} for fold in range(num_folds)]
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

    single = len(names) == len(units)
    cutter = (StratifiedKFold if single else StratifiedGroupKFold)(num_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # a class in fewer videos than folds: named below, where it matters
        try:
            parts = [{units[i] for i in test} for _, test in cutter.split(units, labels, units)]
        except ValueError:  # every class has fewer videos than there are folds
            parts = []
    if not all(parts) or not parts:  # the greedy stratification may leave a fold empty; sizes alone never do
        parts = [{units[i] for i in test} for _, test in GroupKFold(num_folds).split(units, labels, units)]
    return parts


def _check_trained(untrained: set[str], where: str) -> None:
    if untrained:
        raise DatasetError(
            f"{where} would test classes that it cannot train: {first_few(sorted(untrained))} occurs in its test "
            "groups only; add videos of other groups, or remove the class"
        )


def _plain(units: list[str]) -> list[str]:
    return [unit.partition("/")[2] for unit in units]
