"""Kinetics with its official csv files, or MMAction2's lists -> records."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Literal

from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults, first_few
from vidcls.datasets.entries import Entry
from vidcls.datasets.kinetics_lists import clips_in, lists_by_split, split_in
from vidcls.datasets.places import existing_folder, is_folder, joined, videos_directly_in, visible_folders
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_log = logging.getLogger(__name__)


class Kinetics(VideoDataset):
    """Kinetics-400, -600 or -700 (Kay et al., "The Kinetics Human Action Video Dataset", 2017, and its successors).

    Expects in ``annotations`` the official csv files, one for each split, with train, val (or validate, validation) or
    test in their names (``kinetics_train.csv``) and the columns label, youtube_id, time_start, time_end; or MMAction2's
    lists, ``kinetics400_train_list_videos.txt``, whose lines read ``air_drumming/0347ZoDXyP0_000095_000105.mp4 3`` and
    whose folders are the classes. The clips lie as ``root/train/abseiling/0347ZoDXyP0_000095_000105.mp4`` or without
    the class folder (its blanks may be underscores), in any video format; the folder of a split has any of those words
    in its name (``videos_train``, ``train_256``), and where there is none the clips may lie in ``root`` itself. The
    group is the YouTube id.
    Where the official test has no labels or no csv, the official validation is ``test`` here and ``val`` is cut from
    train, since validation is never the test set; that is logged.

    Args:
        root: folder of the split folders.
        annotations: folder of the csv files or lists.
        missing: what to do about listed clips that are not there (links die): stop with an error, or skip and log
            them with their number.
        val_fraction: share of the training clips for validation, where it is cut.
        seed: of that cut.

    Raises:
        DatasetError: a list is missing or not as described, or clips are missing and not to be skipped.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        annotations: str | PathLike[str],
        *,
        missing: Literal["error", "skip"] = "error",
        val_fraction: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_fractions(val_fraction)
        folder = existing_folder(root, what="folder of the clips")
        lists = existing_folder(annotations, what="folder of the csv files or lists")
        files = lists_by_split(lists)
        entries: list[Entry] = []
        absent: list[str] = []
        looked_in: dict[str, None] = {}
        for split in SPLITS:
            if split in files:
                entries.extend(_entries(folder, files[split], split, absent, looked_in))
        if absent and missing == "error":
            raise DatasetError(
                f"{len(absent)} of {len(entries) + len(absent)} clips are missing in {folder}: {first_few(absent)}; "
                f"looked in {', '.join(looked_in)} for <class>/<clip>, <class> with blanks or underscores, and for "
                "<clip>, with any video suffix; download them, or skip them with --data.dataset.missing skip"
            )
        if absent:
            _log.warning(
                "%d of %d clips are missing and skipped: %s",
                len(absent),
                len(entries) + len(absent),
                first_few(absent),
            )
        if all(entry.split != "test" for entry in entries):
            _log.warning(
                "no labelled test split in %s: its validation is the test split, and validation is cut from train",
                lists,
            )
            for entry in entries:
                entry.split = "test" if entry.split == "val" else entry.split
        faults = Faults()
        records = checked_records(
            entries,
            source=str(lists),
            val_fraction=val_fraction,
            seed=seed,
            official_groups=True,
            files_exist=True,
            faults=faults,
        )
        super().__init__(folder, records, faults=faults)


def _entries(root: Place, file: Place, split: Split, absent: list[str], looked_in: dict[str, None]) -> list[Entry]:
    folders = _folders(root, split)
    clips = _Clips(folders)
    entries: list[Entry] = []
    for clip in clips_in(file, split):
        path = clips.find(clip.label, clip.stem)
        if path is None:
            absent.append(f"{file}:{clip.line} -> {clip.stem}")
            looked_in.update((f"{folder.name}/" if folder != root else "./", None) for folder in folders)
        else:
            name = path[len(joined(root, "")) :].replace(os.sep, "/")
            entries.append(Entry(path, clip.label, name, split, clip.youtube_id, str(file), clip.line))
    return entries


def _folders(root: Place, split: Split) -> list[Place]:
    """The folders with a name for the split, the plainest first; the root itself where there is none."""
    names = [name for name in visible_folders(root) if split_in(name) == split]
    return [root / name for name in sorted(names, key=lambda name: (len(name), name))] or [root]


class _Clips:
    """Finds clips by class and file name without suffix; lists each folder once."""

    def __init__(self, parts: Sequence[Place]) -> None:
        self._parts = parts
        self._listings: dict[Place, dict[str, str]] = {}

    def find(self, label: str, stem: str) -> str | None:
        for part in self._parts:
            for folder in (part / label, part / label.replace(" ", "_"), part):
                if stem in (listing := self._listing(folder)):
                    return listing[stem]
        return None

    def _listing(self, folder: Place) -> dict[str, str]:
        if folder not in self._listings:
            names = videos_directly_in(folder) if is_folder(folder) else []
            found = {name.rpartition(".")[0]: joined(folder, name) for name in names}
            self._listings[folder] = found
        return self._listings[folder]
