"""A folder -> the lists in it that are named after splits, such as ``train.csv`` and ``test.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.datasets.checks import first_few
from vidcls.datasets.places import files_in
from vidcls.datasets.split_words import splits_of
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split
from vidcls.video_files import LIST_SUFFIXES

if TYPE_CHECKING:
    from vidcls.remote.places import Place


def files_of_splits(folder: Place) -> dict[Place, Split]:
    """The lists in a folder that are named after splits: ``train.csv``, ``val.csv``, ``test.csv``."""
    inside = files_in(folder, "*")
    for suffix in LIST_SUFFIXES:
        files = {file.stem: file for file in inside if file.suffix.lower() == suffix}
        splits = splits_of(files)
        if "train" not in splits.values():
            continue
        if len(set(splits.values())) < len(splits):
            names = first_few(files[stem].name for stem in splits)
            raise DatasetError(
                f"{folder} holds several lists of one split: {names}; keep one of each, or pass one file"
            )
        return {files[stem]: splits[stem] for stem in sorted(splits, key=lambda stem: SPLITS.index(splits[stem]))}
    others = [file.name for file in inside if file.suffix.lower() in LIST_SUFFIXES]
    hint = (
        f"pass one that is there, such as {folder / others[0]}"
        if others
        else "for a folder of videos by class use --data video_folder"
    )
    raise DatasetError(
        f"no list in the folder {folder}: expected train.csv, val.csv and test.csv in it, or the path of one csv file; "
        f"{hint}"
    )


def splits_beside(path: Place, *, has_split: bool) -> list[str]:
    """A line where a list of one split is read alone, and cut, though those of the others lie beside it."""
    if has_split or not isinstance(path, Path):  # a bucket may hold millions of names beside it
        return []
    stems = {file.stem: file.name for file in files_in(path.parent, f"*{path.suffix}")}
    try:
        splits = splits_of(stems)
    except DatasetError:
        return []
    others = [stems[stem] for stem in splits if stem != path.stem]
    if path.stem not in splits or not others:
        return []
    return [
        f"{path.name} alone is cut into train, val and test; to use {first_few(others)} as the other splits, pass the "
        f"folder: --data.dataset.path {path.parent}"
    ]
