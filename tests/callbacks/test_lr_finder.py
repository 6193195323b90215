"""The learning rate that a short run of rising rates finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.callbacks import LearningRateRangeTest
from vidcls.callbacks.lr_finder import middle_of_fall
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame
from vidcls.training.optimization import OptimizationSettings

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


def smoothed(losses: np.ndarray) -> list[float]:
    """As Lightning gives them: a moving average of some 50 steps."""
    mean, found = 0.0, []
    for step, loss in enumerate(losses, start=1):
        mean = 0.98 * mean + 0.02 * float(loss)
        found.append(mean / (1 - 0.98**step))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_middle_of_a_fall_among_noise_that_ends_high(seed: int) -> None:
    flat, falling, rising = np.full(40, 2.0), np.linspace(2.0, 0.5, 30), np.geomspace(0.5, 50, 30)
    losses = np.concatenate([flat, falling, rising])
    losses[:70] += np.random.default_rng(seed).normal(0, 0.15, 70)
    place = middle_of_fall(smoothed(losses))
    assert place is not None
    assert 35 <= place < 70
    assert middle_of_fall([*smoothed(losses[:90]), *[math.nan] * 10]) == place


def test_without_a_fall_there_is_no_middle() -> None:
    assert middle_of_fall([*np.linspace(1, 2, 50)]) is None
    assert middle_of_fall([2.0] * 50) is None
    assert middle_of_fall([math.nan] * 50) is None
    assert middle_of_fall([]) is None


@pytest.fixture
def fit(clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer):
    def fit(
        *, max_epochs: int = 1, ckpt_path: Path | None = None, **optimization: object
    ) -> tuple[SingleFrame, Trainer]:
        torch.manual_seed(0)
        data = small_data(clip_dataset, batch_size=4)
        settings = OptimizationSettings(schedule="constant", **optimization)  # type: ignore[arg-type]
        model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small", optimization=settings)
        trainer = small_trainer(
            tmp_path, callbacks=[LearningRateRangeTest(num_training_steps=60)], max_epochs=max_epochs
        )
        trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
        return model, trainer

    return fit


def test_it_takes_all_its_steps_whatever_the_epochs_and_sets_what_the_optimiser_uses(fit, tmp_path: Path) -> None:
    model, trainer = fit(optimizer="adamw", lr=1e-6)
    (callback,) = [one for one in trainer.callbacks if isinstance(one, LearningRateRangeTest)]
    assert callback.optimal_lr is not None
    assert len(callback.optimal_lr.results["lr"]) > 40  # one epoch has 3 steps; what diverges ends the test
    assert 1e-4 < model.lr < 0.5
    assert trainer.optimizers[0].param_groups[0]["lr"] == model.lr
    assert trainer.global_step == 3
    assert trainer.max_epochs == 1
    assert (tmp_path / "lr_finder.png").stat().st_size > 5_000
    assert not list(tmp_path.glob(".lr_find*"))


def test_a_training_that_goes_on_keeps_what_was_found_and_does_not_test_again(fit, tmp_path: Path) -> None:
    first, _ = fit(optimizer="adamw", lr=1e-6)
    resumed, trainer = fit(optimizer="adamw", lr=1e-6, max_epochs=2, ckpt_path=tmp_path / "checkpoints/last.ckpt")
    (callback,) = [one for one in trainer.callbacks if isinstance(one, LearningRateRangeTest)]
    assert callback.optimal_lr is None
    assert trainer.global_step == 6
    assert resumed.lr == trainer.optimizers[0].param_groups[0]["lr"] == first.lr > 1e-4


def test_a_rate_that_is_scaled_for_the_batch_is_the_one_that_was_found(fit) -> None:
    plain, _ = fit(optimizer="adamw", lr=1e-6)
    scaled, trainer = fit(optimizer="adamw", lr=1e-6, lr_scaling="linear", lr_batch=2)  # half of what is trained on
    assert scaled.lr == pytest.approx(plain.lr)
    assert scaled.optimization.lr == pytest.approx(plain.lr / 2)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(plain.lr)


@pytest.mark.parametrize("settings", [{"min_lr": 0.0}, {"min_lr": 1.0, "max_lr": 0.1}, {"num_training_steps": 5}])
def test_ranges_that_are_none_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        LearningRateRangeTest(**settings)  # type: ignore[arg-type]
