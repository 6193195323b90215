"""Whether configurations are about the same clips is asked of the videos themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.compare.clips import check_same_videos, num_videos
from vidcls.errors import ConfigurationError, DatasetError


def shapes(**sizes: int) -> dict[str, object]:
    init_args = {"num_train": 16, "num_val": 8, "num_test": 8, **sizes}
    return {"dataset": {"class_path": "MovingShapes", "init_args": init_args}}


def folder(root: Path) -> dict[str, object]:
    return {"dataset": {"class_path": "VideoFolder", "init_args": {"root": str(root)}}}


def test_videos_are_counted_by_part(clip_folder: Path) -> None:
    assert (num_videos(shapes(), "train"), num_videos(shapes(), "val")) == (16, 8)
    assert num_videos(folder(clip_folder), "test") == 7
    assert num_videos(folder(clip_folder) | {"num_folds": 2, "fold": 0}, "test") == 11


def test_how_a_model_reads_the_clips_does_not_matter(clip_folder: Path) -> None:
    check_same_videos({"a": shapes(), "b": shapes() | {"clip_len": 16, "batch_size": 2}})
    check_same_videos({"a": folder(clip_folder), "b": folder(clip_folder / ".." / clip_folder.name)})


@pytest.mark.parametrize("other", [shapes(num_test=16), shapes(seed=1), shapes() | {"num_folds": 2, "fold": 0}])
def test_other_videos_or_other_parts_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"a and b are not about the same clips: they differ in data\.\w+"):
        check_same_videos({"a": shapes(), "b": other})


def test_a_data_set_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no_such_folder"):
        num_videos(folder(tmp_path / "no_such_folder"), "val")
