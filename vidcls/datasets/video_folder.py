"""A folder per class -> records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING

from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults
from vidcls.datasets.entries import Entry
from vidcls.datasets.folder_layout import ClassFolder, class_folders
from vidcls.datasets.group_pattern import compiled_group_pattern, group_in
from vidcls.datasets.places import existing_folder, files_in, joined, listed_below
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.video_files import described

if TYPE_CHECKING:
    from vidcls.remote.places import Place


class VideoFolder(VideoDataset):
    r"""Videos in one folder per class, at any depth inside it, sorted by name.

    ::

        root/walk/a.mp4             root/train/walk/a.mp4
        root/walk/monday/b.mp4      root/train/sit/b.mp4
        root/sit/c.mp4              root/test/walk/c.mp4

    On the left the three splits are cut by class and, with ``group_pattern``, by group. On the right (the folders are
    called train, val, test, or have another usual name such as training, validation, dev or test_set, and nothing else
    lies beside them) the splits are as given; where there is no val, it is cut from train in the same way, never from
    test, and where there is no test, there is none. ``walk/train/a.mp4`` is read like ``train/walk/a.mp4``. Hidden
    files and folders that a system keeps for itself (``__MACOSX``, ``@eaDir``) are left out; files without a video
    suffix are, too, and `notes` counts them.

    Args:
        root: the folder that holds the class folders, or train, val and test.
        val_fraction: share of the videos for validation; of the training split where test is given.
        test_fraction: share of the videos for testing; unused where the splits are given.
        seed: of the cut.
        group_pattern: regular expression searched in ``class/file``; its first bracket is the group, such as
            ``(person\d+)_``.
        classes: take these class folders only, whatever they are called (``[train, bus]``); default: all.

    Raises:
        DatasetError: a folder is missing or holds no video, a video has no class or no group, a group is in two
            splits, or folders of splits and classes are mixed.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        group_pattern: str | None = None,
        classes: list[str] | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern = compiled_group_pattern(group_pattern)
        folder = existing_folder(root, what="folder of the videos")
        faults = Faults()
        found, notes = class_folders(folder, classes, faults)
        passed_over: Counter[str] = Counter()
        entries = (entry for each in found for entry in _entries(folder, each, pattern, passed_over, faults))
        records = checked_records(
            entries,
            source=str(folder),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
            files_exist=True,
            faults=faults,
        )
        notes = [*notes, *described(passed_over), *_lists_beside(folder)]
        super().__init__(folder, records, notes=notes, faults=faults)


def _lists_beside(folder: Place) -> list[str]:
    """A line where a csv file lies in the folder, which may know groups and splits that folders do not tell."""
    lists = [file.name for file in files_in(folder, "*.csv")]
    if not lists:
        return []
    return [
        f"{lists[0]} was not read; where it lists the videos: --data video_csv --data.dataset.path {folder / lists[0]}"
    ]


def _entries(
    root: Place, folder: ClassFolder, pattern: re.Pattern[str] | None, passed_over: Counter[str], faults: Faults
) -> Iterator[Entry]:
    below = root / folder.name
    listing = listed_below(below)
    passed_over.update(listing.passed_over)
    if not listing.videos:
        with faults.noted():
            raise DatasetError(
                f"no video in the class folder {root / folder.name}; add videos or remove the folder"
                + "".join(f" ({line})" for line in described(listing.passed_over))
            )
    for name in listing.videos:
        group = None if pattern is None else group_in(pattern, f"{folder.label}/{name}", root / folder.name / name)
        yield Entry(joined(below, name), folder.label, f"{folder.name}/{name}", folder.split, group)
