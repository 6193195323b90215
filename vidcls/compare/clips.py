"""The data sections of several configurations -> whether they mean the same videos."""

from __future__ import annotations

from collections.abc import Mapping

from vidcls.compare.settings import first_difference
from vidcls.errors import ConfigurationError
from vidcls.loading.from_config import videos_of
from vidcls.types import Split


def num_videos(data: Mapping[str, object], split: Split) -> int:
    """How many videos one split has."""
    return sum(record.split == split for record in videos_of(data))


def check_same_videos(data_by_name: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse configurations that would be trained or tested on different videos.

    Raises:
        ConfigurationError: two of them differ in a video, a label or a split.
    """
    first, *others = data_by_name
    expected = _identities(data_by_name[first])
    for other in others:
        found = _identities(data_by_name[other])
        if found == expected:
            continue
        keys = ("dataset", "num_folds", "fold", "fold_seed", "val_folds", "val_fold")
        one, two = ({key: data_by_name[name].get(key) for key in keys} for name in (first, other))
        where = first_difference(one, two, key="data") or f"{len(expected)} and {len(found)} videos"
        raise ConfigurationError(
            f"{first} and {other} are not about the same clips: they differ in {where}: "
            "pass the data set for all of them, as in --data FILE or --data.dataset"
        )


def _identities(data: Mapping[str, object]) -> set[tuple[str, str, Split]]:
    return {(record.source.name, record.label, record.split) for record in videos_of(data)}
