"""A training and a test say once that the bound cuts much of the flow that they load, however it is had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from vidcls.callbacks import FlowBound
from vidcls.datasets import VideoFolder
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import store_video
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
SMALL_BOUND = FlowSettings("farneback", bound_px=0.25)


def said_by(data: VideoDataModule, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """The lines of a training of two epochs, and those of its test."""
    said: list[str] = []
    monkeypatch.setattr("vidcls.callbacks.flow_bound.rank_zero_info", said.append)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    trainer.fit(model, data)
    while_training = said.copy()
    trainer.test(model, data, verbose=False)
    return while_training, said[len(while_training) :]


def data_of(clip_folder: Path, small_data: MakeData, **settings: object) -> VideoDataModule:
    return small_data(VideoFolder(clip_folder), streams=("rgb", "flow"), flow_len=2, **settings)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("num_workers", [0, 2])
def test_flow_that_is_computed_while_loading_is_told_with_a_bound_that_would_do(
    clip_folder: Path,
    tmp_path: Path,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
    num_workers: int,
) -> None:
    data = data_of(clip_folder, small_data, flow_settings=SMALL_BOUND, num_workers=num_workers)
    trainer = small_trainer(tmp_path, callbacks=[FlowBound()], max_epochs=2)
    training, test = said_by(data, trainer, monkeypatch)
    assert len(training) == len(test) == 1
    assert " of the flow values are beyond the bound of 0.25 px; a bound of " in training[0]
    assert training[0].endswith(
        "(train split): motion beyond it looks slower than it is; set --data.flow_settings.bound_px"
    )
    assert test[0].endswith(" px would hold 99.9 % (test split)")


@pytest.mark.filterwarnings("ignore")
def test_stored_flow_is_told_with_the_command_that_names_the_videos(
    clip_folder: Path, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FlowStoreWriter.open(tmp_path / "flow", SMALL_BOUND)
    for record in VideoFolder(clip_folder).records:
        store_video(writer, record)
    data = data_of(clip_folder, small_data, flow=str(tmp_path / "flow"))
    training, test = said_by(data, small_trainer(tmp_path, callbacks=[FlowBound()]), monkeypatch)
    for (line,), split in ((training, "train"), (test, "test")):
        assert f" of the flow values are at the bound of 0.25 px ({split} split): vidcls data check names" in line


@pytest.mark.filterwarnings("ignore")
def test_flow_that_is_estimated_on_the_device_is_told(
    clip_folder: Path, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(clip_folder, small_data, flow_settings=SMALL_BOUND, flow_on="device")
    training, test = said_by(data, small_trainer(tmp_path, callbacks=[FlowBound()]), monkeypatch)
    assert " at the bound of 0.25 px (train split)" in training[0]
    assert " at the bound of 0.25 px (test split)" in test[0]
    seen = data.flow_saturation("test")
    num_values = len(data.split("test")) * 2 * 2 * 32 * 32  # fields of each, x and y, pixels
    assert seen.num_values == num_values


@pytest.mark.filterwarnings("ignore")
def test_a_bound_that_holds_the_flow_is_not_spoken_of(
    clip_folder: Path, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(clip_folder, small_data, flow_settings=FlowSettings("farneback", bound_px=60.0))
    assert said_by(data, small_trainer(tmp_path, callbacks=[FlowBound()]), monkeypatch) == ([], [])
    assert data.flow_saturation("train").num_values > 0
    assert data.flow_saturation("val").num_values > 0
