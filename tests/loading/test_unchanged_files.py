"""A video that is replaced while a training runs is an error that names it, in whatever process it is read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from vidcls.datasets import VideoFolder
from vidcls.errors import DatasetError, DecodeError
from vidcls.loading import VideoDataModule
from vidcls.loading.unchanged_files import UnchangedFiles
from vidcls.transforms import TransformSettings
from vidcls.types import VideoRecord
from vidcls.video import LocalFile


@pytest.fixture
def data_of(clip_folder: Path, tmp_path: Path):
    shutil.copytree(clip_folder, tmp_path / "clips")

    def make(**settings: object) -> VideoDataModule:
        transform = TransformSettings(resize_px=None, crop_px=32, train_crop="center", flip_probability=0)
        return VideoDataModule(
            VideoFolder(tmp_path / "clips"), streams=("rgb",), transform=transform, batch_size=4, **settings
        )  # type: ignore[arg-type]

    return make


def replace(path: Path, source: Path) -> None:
    """As copying another file over it does, at a later time."""
    written = path.stat().st_mtime_ns
    shutil.copy(source, path)
    os.utime(path, ns=(written + 10**9, written + 10**9))


@pytest.mark.parametrize("settings", [{"num_workers": 0}, {"num_workers": 1}, {"num_workers": 1, "bad_videos": "skip"}])
def test_a_training_video_that_is_replaced_between_two_epochs_is_named(data_of, settings: dict[str, object]) -> None:
    data = data_of(**settings)
    data.setup("fit")
    loader = data.train_dataloader()  # its workers live on from epoch to epoch
    assert sum(len(batch["label"]) for batch in loader) == 12
    first, *_, last = data.split("train")
    replace(first.path, last.path)
    with pytest.raises(DatasetError, match=f"{first.path}: has changed since the training began"):
        list(loader)
    data.teardown("fit")
    data.setup("fit")  # one that begins now takes the files as they are
    assert sum(len(batch["label"]) for batch in data.train_dataloader()) == 12
    data.teardown("fit")


def test_a_validation_video_is_watched_too(data_of) -> None:
    data = data_of(num_workers=0)
    data.setup("fit")
    first, *_, last = data.split("val")
    replace(first.path, last.path)
    with pytest.raises(DatasetError, match=f"{first.path}: has changed"):
        list(data.val_dataloader())


def test_half_of_a_new_file_is_said_to_be_another_and_not_to_be_damaged(data_of) -> None:
    data = data_of(num_workers=0, bad_videos="skip")
    data.setup("fit")
    path = data.split("train")[0].path
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match=f"{path}: has changed"):
        list(data.train_dataloader())


def test_a_file_that_is_gone_or_was_never_there_is_left_to_whoever_opens_it(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    files = UnchangedFiles([VideoRecord(LocalFile(tmp_path / name), "a", "train", name) for name in "ab"])
    (tmp_path / "a").unlink()
    for index, name in enumerate("ab"):
        with pytest.raises(DecodeError, match="no such file"), files.reading(index, LocalFile(tmp_path / name)):
            raise DecodeError("no such file")
    (tmp_path / "b").touch()
    with pytest.raises(DatasetError, match="b: has changed"), files.reading(1, LocalFile(tmp_path / "b")):
        pass
