"""A training that continues: which learning rate its first step has, and when that is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.shared.factories import video_data
from vidcls.datasets import VideoFolder
from vidcls.models import SingleFrame, optimization_hooks
from vidcls.training.optimization import OptimizationSettings, lr_factor

COSINE = OptimizationSettings(lr=0.01, schedule="cosine", warmup=0)


class Rates(Callback):
    """Keeps the learning rate of every step."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.found.append(optimizer.param_groups[0]["lr"])


def train(clips: Path, folder: Path, *, max_epochs: int, resume: Path | None = None) -> list[float]:
    data = video_data(VideoFolder(clips), batch_size=4)
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small", optimization=COSINE)
    rates = Rates()
    trainer = Trainer(
        max_epochs=max_epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[rates, ModelCheckpoint(folder, filename="last")],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return rates.found


def test_a_finished_cosine_that_continues_takes_its_new_rate_at_once_and_says_so(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(optimization_hooks, "rank_zero_info", said.append)
    train(clip_folder, tmp_path, max_epochs=1)
    again = train(clip_folder, tmp_path / "again", max_epochs=2, resume=tmp_path / "last.ckpt")
    assert again == pytest.approx([0.01 * lr_factor(step, settings=COSINE, num_steps=6) for step in (3, 4, 5)])
    assert said == [
        "the learning rate continues at 0.005, not at the 0 of the checkpoint: the cosine schedule now ends after step "
        "6"
    ]


def test_a_training_that_continues_to_the_same_end_says_nothing(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(optimization_hooks, "rank_zero_info", said.append)
    whole = train(clip_folder, tmp_path, max_epochs=2)
    halfway = tmp_path / "halfway.ckpt"
    data = video_data(VideoFolder(clip_folder), batch_size=4)
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small", optimization=COSINE)
    first = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[Stop()],
        enable_checkpointing=False, enable_model_summary=False,
    )  # fmt: skip
    first.fit(model, data)
    first.save_checkpoint(halfway)
    assert train(clip_folder, tmp_path / "again", max_epochs=2, resume=halfway) == whole[3:]
    assert said == []


class Stop(Callback):
    """Ends a training after its first epoch, whose end its schedule does not know."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = True
