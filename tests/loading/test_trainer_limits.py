"""Options of Lightning's trainer that speak of batches, over our loaders: each does what Lightning's docs say."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame
from vidcls.training.optimization import OptimizationSettings
from vidcls.transforms import TransformSettings
from vidcls.types import Batch

pytestmark = pytest.mark.filterwarnings("ignore")


class Seen(Callback):
    """Which videos came in which batch of which epoch, and the learning rates of the steps."""

    def __init__(self) -> None:
        self.train: list[list[list[int]]] = []
        self.val: list[list[int]] = []
        self.sanity: list[list[int]] = []
        self.rates: list[float] = []
        self.first_pixels: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.train.append([])

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        self.train[-1].append(batch["index"].tolist())
        self.first_pixels.append(float(batch["streams"]["rgb"].sum()))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: object) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        (self.sanity if trainer.sanity_checking else self.val).append(batch["index"].tolist())


def seen(dataset: VideoFolder, folder: Path, *, class_balanced: bool = False, **options: object) -> Seen:
    """Trains on 12 videos in batches of 4 and validates 3 videos in batches of 1, for three epochs."""
    data = VideoDataModule(
        dataset,
        transform=TransformSettings(resize_px=32, crop_px=24),
        batch_size=4,
        test_batch_size=1,
        num_workers=0,
        class_balanced=class_balanced,
    )
    torch.manual_seed(0)
    optimization = OptimizationSettings(lr=0.1, schedule="cosine")
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small", optimization=optimization)
    callback = Seen()
    arguments: dict[str, object] = {"max_epochs": 3, "num_sanity_val_steps": 0} | options
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        **arguments,  # type: ignore[arg-type]
    )
    trainer.fit(model, data)
    return callback


def cosine(num_steps: int) -> list[float]:
    return [0.1 * (1 + math.cos(math.pi * k / num_steps)) / 2 for k in range(num_steps)]


def videos_of(epoch: list[list[int]]) -> list[int]:
    return sorted(index for batch in epoch for index in batch)


@pytest.mark.parametrize(("option", "num_batches", "class_balanced"), [(1, 1, False), (2, 2, True), (0.67, 2, False)])
def test_overfitting_trains_on_the_same_videos_in_the_same_batches_in_every_epoch(
    clip_dataset: VideoFolder, tmp_path: Path, option: float, num_batches: int, class_balanced: bool
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = seen(clip_dataset, tmp_path, overfit_batches=option, class_balanced=class_balanced)
    assert any("turning off the train dataloader shuffling" in str(warning.message) for warning in caught)
    assert [len(epoch) for epoch in found.train] == [num_batches] * 3
    assert found.train[0] == found.train[1] == found.train[2]
    whole = seen(clip_dataset, tmp_path, class_balanced=class_balanced, max_epochs=1)
    assert found.train[0] == whole.train[0][:num_batches]  # of all classes: a list in order would begin with one alone
    assert len(set(found.first_pixels)) > num_batches  # crops are drawn as ever
    assert len(found.val) == 3 * num_batches


def test_without_it_every_epoch_has_its_own_order(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    found = seen(clip_dataset, tmp_path)
    assert found.train[0] != found.train[1] != found.train[2]
    assert all(videos_of(epoch) == list(range(12)) for epoch in found.train)


@pytest.mark.parametrize(("option", "num_batches"), [(2, 2), (0.34, 1), (100, 3)])
def test_limits_take_the_first_batches_of_the_epoch_that_there_would_be(
    clip_dataset: VideoFolder, tmp_path: Path, option: float, num_batches: int
) -> None:
    whole = seen(clip_dataset, tmp_path)
    found = seen(clip_dataset, tmp_path, limit_train_batches=option, limit_val_batches=option)
    assert found.train == [epoch[:num_batches] for epoch in whole.train]
    assert found.val == [[k] for k in range(num_batches)] * 3


@pytest.mark.parametrize(("option", "num_batches"), [(True, 1), (2, 2)])
def test_a_fast_run_takes_so_many_batches_of_each_kind_once(
    clip_dataset: VideoFolder, tmp_path: Path, option: bool | int, num_batches: int
) -> None:
    found = seen(clip_dataset, tmp_path, fast_dev_run=option, num_sanity_val_steps=2)
    assert [len(epoch) for epoch in found.train] == [num_batches]
    assert (len(found.val), len(found.sanity)) == (num_batches, 0)


@pytest.mark.parametrize(("option", "expected"), [(0, []), (2, [[0], [1]]), (-1, [[0], [1], [2]])])
def test_validation_is_tried_before_the_training(
    clip_dataset: VideoFolder, tmp_path: Path, option: int, expected: list[list[int]]
) -> None:
    assert seen(clip_dataset, tmp_path, num_sanity_val_steps=option, max_epochs=1).sanity == expected


def test_accumulated_batches_take_one_step_and_the_schedule_ends_with_the_last(
    clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    found = seen(clip_dataset, tmp_path, accumulate_grad_batches=2)
    # three batches an epoch: a step after two, and one at the end of the epoch
    assert found.rates == pytest.approx(cosine(6))
    assert found.train == seen(clip_dataset, tmp_path).train


def test_a_number_of_steps_ends_the_training_and_the_schedule(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    found = seen(clip_dataset, tmp_path, max_steps=4)
    assert [len(epoch) for epoch in found.train] == [3, 1]
    assert found.rates == pytest.approx(cosine(4))


def test_validation_comes_when_it_is_asked_for(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    assert len(seen(clip_dataset, tmp_path, check_val_every_n_epoch=3).val) == 3
    assert len(seen(clip_dataset, tmp_path, val_check_interval=0.34, max_epochs=1).val) == 9


def test_loaders_that_are_made_again_for_every_epoch_go_on_with_its_order(
    clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    whole = seen(clip_dataset, tmp_path)
    assert seen(clip_dataset, tmp_path, reload_dataloaders_every_n_epochs=1).train == whole.train


def test_what_is_left_of_the_videos_is_no_batch_of_one(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    """13 videos in batches of 4 would leave one: it waits for the next epoch, and another one is left out there."""
    dataset = VideoFolder(clip_dataset.root)
    (extra,) = [record for record in dataset.records if record.split == "test"][:1]
    dataset.records = [*dataset.records, dataclasses.replace(extra, split="train")]
    found = seen(dataset, tmp_path)
    assert all([len(batch) for batch in epoch] == [4, 4, 4] for epoch in found.train)
    assert len({tuple(videos_of(epoch)) for epoch in found.train}) > 1
