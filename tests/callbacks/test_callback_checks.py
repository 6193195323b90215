"""Callbacks held against the model before the training starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, EarlyStopping

from vidcls.callbacks import CallbackChecks
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream


class LogsMore(Callback):
    """A callback of the user's own that logs a number of its own."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log("mine", 1.0)


@pytest.fixture
def fit(
    clip_dataset: VideoFolder, small_data: Callable[..., VideoDataModule], small_trainer: Callable[..., Trainer]
) -> Callable[..., Trainer]:
    def train(folder: Path, *callbacks: Callback) -> Trainer:
        data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=3)
        model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
        trainer = small_trainer(folder, callbacks=[CallbackChecks(), *callbacks])
        trainer.fit(model, data)
        return trainer

    return train


@pytest.mark.filterwarnings("ignore")
def test_every_name_that_is_said_to_be_logged_is_logged(fit: Callable[..., Trainer], tmp_path: Path) -> None:
    trainer = fit(tmp_path)
    model = trainer.lightning_module
    assert isinstance(model, TwoStream)
    assert set(model.logged_names) == set(trainer.callback_metrics)
    assert {"train/spatial_loss", "val/temporal_top1"} <= set(model.logged_names)


@pytest.mark.filterwarnings("ignore")
def test_what_a_callback_of_the_users_own_logs_may_be_watched(fit: Callable[..., Trainer], tmp_path: Path) -> None:
    watching = EarlyStopping(monitor="mine")
    with pytest.raises(ConfigurationError, match="EarlyStopping: monitor 'mine' is not measured: use one of val/loss"):
        fit(tmp_path / "a", watching)
    assert fit(tmp_path / "b", LogsMore(), watching).global_step == 3


def test_what_the_schedule_would_not_follow_is_refused_with_what_does_the_same(
    fit: Callable[..., Trainer], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"BackboneFinetuning: .*use --model\.transfer\.freeze"):
        fit(tmp_path, BackboneFinetuning())
