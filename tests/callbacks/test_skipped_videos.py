from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from vidcls.callbacks.skipped_videos import SkippedVideos
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def damaged(clip_folder: Path, tmp_path: Path) -> Path:
    """The folder of clips with one training file that is cut off."""
    folder = tmp_path / "clips"
    shutil.copytree(clip_folder, folder)
    file = folder / "train/left/2.avi"
    file.write_bytes(file.read_bytes()[:100])
    return folder


def model_for(data: VideoDataModule) -> SingleFrame:
    return SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")


def test_a_video_that_cannot_be_read_is_warned_about_once_counted_each_epoch_and_listed(
    damaged: Path, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    data = small_data(VideoFolder(damaged), bad_videos="skip")
    run = tmp_path / "run"
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr("vidcls.callbacks.skipped_videos.rank_zero_info", said.append)
        trainer = small_trainer(run, callbacks=[SkippedVideos()], max_epochs=2)
        trainer.fit(model_for(data), data)
    about = [str(warning.message) for warning in caught if "skipped in the training" in str(warning.message)]
    assert len(about) == 1
    assert about[0].startswith(str(damaged / "train/left/2.avi"))
    assert trainer.logged_metrics["train/skipped_videos"] == 1.0
    assert (run / "skipped.csv").read_text() == f"path,first_epoch,times\n{damaged}/train/left/2.avi,0,2\n"
    assert said == [f"1 training videos could not be read and were skipped 2 times: see {run}/skipped.csv"]


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_training_goes_on_counting(
    damaged: Path, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    data = small_data(VideoFolder(damaged), bad_videos="skip")
    run = tmp_path / "run"
    small_trainer(run, callbacks=[SkippedVideos()]).fit(model_for(data), data)
    (run / "skipped.csv").unlink()
    trainer = small_trainer(run, callbacks=[SkippedVideos()], max_epochs=3)
    trainer.fit(model_for(data), data, ckpt_path=run / "checkpoints/last.ckpt", weights_only=True)
    assert (run / "skipped.csv").read_text().splitlines()[1].endswith("left/2.avi,0,3")


def test_nothing_is_logged_or_written_where_every_video_can_be_read(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    for bad_videos in ("error", "skip"):
        trainer = small_trainer(tmp_path / "run", callbacks=[SkippedVideos()])
        data = small_data(clip_dataset, bad_videos=bad_videos)
        trainer.fit(model_for(data), data)
        assert not (tmp_path / "run/skipped.csv").exists()
        assert trainer.logged_metrics.get("train/skipped_videos") == (None if bad_videos == "error" else 0.0)
