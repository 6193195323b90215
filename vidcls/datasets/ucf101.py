"""UCF101 with its official lists -> records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Literal

from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults, first_few
from vidcls.datasets.entries import Entry, read_lines
from vidcls.datasets.places import existing_folder, joined
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.types import Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_GROUP = re.compile(r"(v_.+_g\d+)_c\d+$")


class UCF101(VideoDataset):
    """UCF101 (Soomro, Zamir and Shah, "UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild", 2012).

    Expects ``root/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi`` and, in ``annotations``, the official
    ``classInd.txt``, ``trainlist01.txt`` to ``03`` and ``testlist01.txt`` to ``03``. Clips of one ``_gNN`` come from
    one long video; the number counts within a class, so the group is ``v_ApplyEyeMakeup_g01``. The lists have no
    validation: it is cut from train by group.

    Args:
        root: folder of the class folders (UCF-101).
        annotations: folder of the lists (ucfTrainTestlist).
        fold: which of the three official splits.
        val_fraction: share of the training list for validation.
        seed: of that cut.
        class_order: ``sorted`` by characters, as all data sets have their classes; or ``official``, by the numbers of
            classInd.txt, as heads that others have trained have their logits (Hammering and HammerThrow, JumpingJack
            and JumpRope change places). Weights of others go by position; vidcls itself goes by name.

    Raises:
        DatasetError: a list or a video is missing, or a line contradicts classInd.txt.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        annotations: str | PathLike[str],
        *,
        fold: Literal[1, 2, 3] = 1,
        val_fraction: float = 0.1,
        seed: int = 0,
        class_order: Literal["sorted", "official"] = "sorted",
    ) -> None:
        check_fractions(val_fraction)
        folder = existing_folder(root, what="folder of the videos")
        lists = existing_folder(annotations, what="folder of the lists")
        classes = _classes(lists / "classInd.txt")
        entries = [
            *_entries(folder, lists / f"trainlist{fold:02d}.txt", "train", classes),
            *_entries(folder, lists / f"testlist{fold:02d}.txt", "test", classes),
        ]
        faults = Faults()
        records = checked_records(entries, source=str(lists), val_fraction=val_fraction, seed=seed, faults=faults)
        super().__init__(folder, records, faults=faults)
        if class_order == "official":
            self.class_names.sort(key=lambda name: int(classes[name]))


def _classes(file: Place) -> dict[str, str]:
    """Class name -> its official number; the lines read ``1 ApplyEyeMakeup``."""
    classes: dict[str, str] = {}
    for line, text in read_lines(file):
        number, _, label = text.partition(" ")
        if not number.isdecimal() or not label.strip():
            raise DatasetError(f"{file}:{line}: expected a number and a class name, found {text!r}")
        label = label.strip()
        if classes.get(label, number) != number:
            raise DatasetError(f"{file}:{line}: {label} has the number {number}, but {classes[label]} above")
        if label not in classes and number in classes.values():
            other = next(name for name, taken in classes.items() if taken == number)
            raise DatasetError(f"{file}:{line}: the number {number} is that of {other}; correct one of the two lines")
        classes[label] = number
    return classes


def _entries(root: Place, file: Place, split: Split, classes: dict[str, str]) -> Iterator[Entry]:
    """The lines read ``ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1``; test lists have no number."""
    for line, text in read_lines(file):
        name, _, number = text.partition(" ")
        label, _, file_name = name.partition("/")
        match = _GROUP.match(file_name.rpartition(".")[0])
        if match is None:
            raise DatasetError(f"{file}:{line}: expected Class/v_Class_g01_c01.avi, found {text!r}")
        if label not in classes:
            raise DatasetError(f"{file}:{line}: unknown label {label!r}; classInd.txt has {first_few(classes)}")
        if number.strip() not in ("", classes[label]):
            raise DatasetError(f"{file}:{line}: {label} has the number {number}, but {classes[label]} in classInd.txt")
        yield Entry(joined(root, name), label, name, split, match.group(1), str(file), line)
