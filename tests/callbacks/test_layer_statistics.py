from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks import LayerStatistics
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


class GradientNorms(Callback):
    """What the callback should find, by its own means."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: object) -> None:
        gradient = pl_module.head[1].weight.grad.norm() ** 2 + pl_module.head[1].bias.grad.norm() ** 2
        self.norms.append(float(gradient**0.5))


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "layers.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def fit(
    run: Path,
    dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    *callbacks: Callback,
    dead: bool = False,
    **settings: object,
) -> SingleFrame:
    torch.manual_seed(0)
    data = small_data(dataset)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    if dead:
        with torch.no_grad():
            model.backbone.stages["block2"][1].bias[:8] = -100.0  # 8 of 32 units never come to life
    small_trainer(run, callbacks=list(callbacks), **settings).fit(model, data)
    return model


def test_every_layer_is_noted_at_the_steps_that_are_due(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    expected = GradientNorms()
    watcher = LayerStatistics(every_n_steps=2)
    fit(tmp_path, clip_dataset, small_data, small_trainer, watcher, expected, max_epochs=2)
    found = rows(tmp_path)
    assert sorted({int(row["step"]) for row in found}) == [0, 2, 4]  # of six
    at_start = [row for row in found if row["step"] == "0"]
    assert [row["kind"] for row in at_start[:4]] == ["ReLU"] * 4
    head = [float(row["gradient_norm"]) for row in found if row["layer"] == "head.1"]
    assert head == pytest.approx(expected.norms[::2], rel=1e-4)
    assert all(float(row["activation_norm"]) > 0 for row in at_start[:4])
    assert (tmp_path / "layers.png").stat().st_size > 10_000


def test_units_that_never_live_are_counted(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    fit(tmp_path, clip_dataset, small_data, small_trainer, LayerStatistics(), dead=True, max_epochs=1)
    shares = {row["layer"]: float(row["dead"]) for row in rows(tmp_path) if row["dead"]}
    assert shares["backbone.stages.block2.2"] == 0.25
    assert shares["backbone.stages.block1.2"] == 0.0


def test_of_several_batches_in_a_step_one_is_watched(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    watcher = LayerStatistics(every_n_steps=1)
    fit(tmp_path, clip_dataset, small_data, small_trainer, watcher, max_epochs=1, accumulate_grad_batches=3)
    assert len([row for row in rows(tmp_path) if row["kind"] == "ReLU"]) == 4


def test_training_is_the_same_with_and_without_it_and_no_hook_stays(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    watched = fit(tmp_path / "a", clip_dataset, small_data, small_trainer, LayerStatistics(1), max_epochs=1)
    alone = fit(tmp_path / "b", clip_dataset, small_data, small_trainer, max_epochs=1)
    assert all(torch.equal(p, q) for p, q in zip(watched.parameters(), alone.parameters(), strict=True))
    assert not any(module._forward_hooks for module in watched.modules())


def test_a_step_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="every_n_steps"):
        LayerStatistics(0)
