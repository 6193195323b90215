"""A data set that contradicts itself is an error that carries it, with everything that was found."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.datasets.base import UnsoundDatasetError
from vidcls.errors import DatasetError


def test_a_list_with_several_faults_says_the_first_and_carries_all(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    rows = ["path,label,split,group", "a.mp4,sit,train,g1", "a.mp4,walk,test,g1", "gone.mp4,walk,train,g2"]
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(UnsoundDatasetError, match=r"clips\.csv:3 lists a\.mp4 in two splits") as caught:
        VideoCsv(tmp_path / "clips.csv")
    duplicate, missing, group, *_ = caught.value.faults
    assert str(caught.value) == duplicate
    assert "1 of 3 videos are missing" in missing
    assert "g1" in group
    assert [record.name for record in caught.value.dataset.records] == ["a.mp4", "a.mp4", "gone.mp4"]


def test_a_folder_with_loose_videos_has_its_classes_all_the_same(clip_folder: Path, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        for file in (clip_folder / "train" / label).iterdir():
            (tmp_path / label / file.name).write_bytes(file.read_bytes())
    (tmp_path / "loose.avi").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnsoundDatasetError, match="videos without a class in") as caught:
        VideoFolder(tmp_path)
    assert "no video in the class folder" in caught.value.faults[1]
    assert caught.value.dataset.class_names == ["left", "right"]


def test_another_process_is_told_the_first_fault(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("path,label,split\ngone.mp4,walk,train\n")
    with pytest.raises(UnsoundDatasetError) as caught:
        VideoCsv(tmp_path / "clips.csv")
    told = pickle.loads(pickle.dumps(caught.value))
    assert (type(told), str(told)) == (DatasetError, str(caught.value))
