"""The data section of a configuration -> the videos that it means, and whether several mean the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from vidcls.compare.settings import first_difference
from vidcls.data.arguments import folded
from vidcls.datasets import VideoDataset
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.types import Split, VideoRecord


def videos_of(data: Mapping[str, object]) -> list[VideoRecord]:
    """The videos of a resolved data section with their parts, folds taken into account; no file is opened.

    Raises:
        DatasetError: the data set is not there or cannot be cut like that.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--dataset", type=VideoDataset)
    try:
        dataset = parser.instantiate_classes(parser.parse_object({"dataset": data.get("dataset")})).dataset
        num_folds, fold = data.get("num_folds"), data.get("fold")
        assert isinstance(num_folds, int | None)
        assert isinstance(fold, int | None)
        return folded(dataset.records, num_folds, fold)
    except (ArgumentError, ValueError) as error:
        raise DatasetError(f"the data set cannot be used: {' '.join(str(error).split())}") from error


def num_videos(data: Mapping[str, object], part: Split) -> int:
    """How many videos one part has."""
    return sum(record.split == part for record in videos_of(data))


def check_same_videos(data_by_name: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse configurations that would be trained or tested on different videos.

    Raises:
        ConfigurationError: two of them differ in a video, a label or a part.
    """
    first, *others = data_by_name
    expected = _identities(data_by_name[first])
    for other in others:
        found = _identities(data_by_name[other])
        if found == expected:
            continue
        keys = ("dataset", "num_folds", "fold")
        one, two = ({key: data_by_name[name].get(key) for key in keys} for name in (first, other))
        where = first_difference(one, two, key="data") or f"{len(expected)} and {len(found)} videos"
        raise ConfigurationError(
            f"{first} and {other} are not about the same clips: they differ in {where}: "
            "give the data set for all of them, as in --data FILE or --data.dataset"
        )


def _identities(data: Mapping[str, object]) -> set[tuple[Path, str, Split]]:
    return {(record.path, record.label, record.split) for record in videos_of(data)}
