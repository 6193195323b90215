"""A folder of videos by class -> its class folders, each with the split that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.datasets.checks import Faults, first_few
from vidcls.datasets.places import videos_directly_in, visible_folders
from vidcls.datasets.split_words import splits_of
from vidcls.datasets.written_folder import is_written
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_SYNTHETIC = re.compile("[0-9a-f]{16}")  # the folders of `MovingShapes`
CLASSES_HINT = "--data.dataset.classes names the folders that are classes"


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """The videos of one class, or those of one split of it.

    Args:
        name: relative to the root, with forward slashes: ``walk``, ``train/walk`` or ``walk/train``.
        label: the class.
        split: None where it is still to be cut.
    """

    name: str
    label: str
    split: Split | None


def class_folders(root: Place, classes: Collection[str] | None, faults: Faults) -> tuple[list[ClassFolder], list[str]]:
    """The class folders, in order, and a line for each thing that another reader might have taken otherwise.

    Args:
        root: the folder of the data set.
        classes: take these alone; folders of these names are classes and never splits.
        faults: takes what hinders no other command than a training.

    Raises:
        DatasetError: folders of splits and of classes are mixed, or a split is there twice, or there is none to train
            on, or a class that was asked for is not there.
    """
    folders = visible_folders(root)
    for name in folders:
        if isinstance(root, Path) and _SYNTHETIC.fullmatch(name) and is_written(root / name):
            raise DatasetError(
                f"{root / name} holds synthetic videos that vidcls wrote (MovingShapes), and is not a class; remove "
                "that folder"
            )
    splits = splits_of(name for name in folders if name not in (classes or ()))
    if splits and len(splits) == len(folders):
        _check_splits(root, splits)
        _refuse_loose_videos(root, faults)
        found = [
            ClassFolder(f"{part}/{label}", label, split)
            for part, split in sorted(splits.items())
            for label in _chosen(root / part, classes, is_needed=split == "train")
        ]
        for part in splits:
            _refuse_loose_videos(root / part, faults, hint=f"; where it is a class itself, {CLASSES_HINT}")
        return found, _as_parts(splits)
    notes = _taken_for_classes(root, splits, folders)
    labels = _chosen(root, classes)
    _refuse_loose_videos(root, faults)
    inner = {label: _splits_inside(root / label) for label in labels}
    if labels and all(inner.values()):
        _check_splits(root, dict.fromkeys(part for parts in inner.values() for part in parts))
        everywhere = {part: split for parts in inner.values() for part, split in parts.items()}
        notes += [f"the folders {first_few(sorted(everywhere))} inside the classes are used as splits"]
        return [
            ClassFolder(f"{label}/{part}", label, split)
            for label in labels
            for part, split in sorted(inner[label].items())
        ], notes
    halves = [label for label in labels if len(set(inner[label].values())) > 1]
    if halves:
        example, others = f"{halves[0]}/{next(iter(inner[halves[0]]))}", [each for each in labels if not inner[each]]
        raise DatasetError(
            f"{root}: some classes hold splits (as {example}) and others do not ({first_few(others)}); put all class "
            "folders into train, val and test"
        )
    return [ClassFolder(label, label, None) for label in labels], notes


def _check_splits(root: Place, names: Collection[str]) -> None:
    splits = splits_of(names)
    if "train" not in splits.values():
        raise DatasetError(f"{root} holds {', '.join(splits)} but no train; add the folder train, or pass its parent")
    if len(set(splits.values())) < len(splits):
        twice = [name for name, split in splits.items() if list(splits.values()).count(split) > 1]
        raise DatasetError(f"{root} holds one split twice: {', '.join(twice)}; join the folders, or keep one of them")


def _taken_for_classes(root: Place, splits: dict[str, Split], folders: Sequence[str]) -> list[str]:
    """A line where one folder has the name of a split but is a class like those beside it; more are refused."""
    if not splits:
        return []
    others = [name for name in folders if name not in splits]
    if len(splits) == 1 and videos_directly_in(root / next(iter(splits))):  # a class that is called train, as of buses
        return [f"the folder {next(iter(splits))} is used as a class, like {first_few(others)} beside it"]
    raise DatasetError(
        f"{root} holds both splits ({', '.join(splits)}) and other folders ({first_few(others)}); move the others "
        f"away, put class folders into the splits, or, where all are classes, {CLASSES_HINT}"
    )


def _as_parts(splits: dict[str, Split]) -> list[str]:
    if all(name.lower() == split for name, split in splits.items()):
        return []
    ordered = sorted(splits.items(), key=lambda item: SPLITS.index(item[1]))
    return ["folders used as splits: " + ", ".join(f"{name} as {split}" for name, split in ordered)]


def _splits_inside(folder: Place) -> dict[str, Split]:
    """The splits in a class folder; empty unless it holds those and nothing else."""
    inner = visible_folders(folder)
    if not inner or videos_directly_in(folder):
        return {}
    splits = splits_of(inner)
    return splits if len(splits) == len(inner) else {}


def _chosen(part: Place, classes: Collection[str] | None, *, is_needed: bool = True) -> list[str]:
    """The class folders in a split, those asked for where some are."""
    folders = visible_folders(part)
    if classes is None:
        return folders
    absent = [name for name in classes if name not in folders]
    if absent and is_needed:
        raise DatasetError(
            f"no folder for the classes {first_few(absent)} in {part}; found {first_few(folders) or 'none'}"
        )
    return [name for name in folders if name in classes]


def _refuse_loose_videos(folder: Place, faults: Faults, *, hint: str = "") -> None:
    loose = videos_directly_in(folder)
    if loose:
        with faults.noted():
            raise DatasetError(
                f"videos without a class in {folder}: {first_few(loose)}; move each into the folder of its class{hint}"
            )
