"""A training that diverges ends with one line and leaves no checkpoint of it; scores are numbers or an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from vidcls.errors import CheckpointError, DivergedError
from vidcls.models import SingleFrame, TwoStream
from vidcls.models.finite_guard import FiniteGuard
from vidcls.training.optimization import OptimizationSettings
from vidcls.types import ClipSettings

pytestmark = pytest.mark.filterwarnings("ignore")
CLASSES = ["a", "b"]


def batches(number: int, *, bad: int | None = None) -> DataLoader:
    """Batches of two clips; in the batch ``bad`` one pixel of the second is NaN."""
    made = []
    for k in range(number):
        rgb = torch.randn(2, 3, 1, 24, 24, generator=torch.Generator().manual_seed(k))
        if k == bad:
            rgb[1, 0, 0, 0, 0] = float("nan")
        numbers = torch.tensor([2 * k, 2 * k + 1])
        made.append({"streams": {"rgb": rgb}, "label": torch.tensor([0, 1]), "index": numbers})
    return DataLoader(made, batch_size=None)  # type: ignore[arg-type]


@pytest.fixture
def model() -> SingleFrame:
    return built()


def built(lr: float = 0.01) -> SingleFrame:
    torch.manual_seed(0)
    optimization = OptimizationSettings(lr=lr, schedule="constant")
    return SingleFrame(class_names=CLASSES, clip=ClipSettings(), backbone="small", optimization=optimization)


def trainer(folder: Path, *callbacks: Callback, **settings: object) -> Trainer:
    arguments: dict[str, object] = {"max_epochs": 2, "limit_val_batches": 0, "num_sanity_val_steps": 0} | settings
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=bool(callbacks),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **arguments,  # type: ignore[arg-type]
    )


def test_a_loss_that_is_not_finite_ends_the_training_before_it_moves_a_weight(
    model: SingleFrame, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match=r"loss is not finite at step 2 of epoch 0 .*try a lower --model.optim"):
        trainer(tmp_path).fit(model, batches(4, bad=2))
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_a_learning_rate_that_is_too_high_ends_the_training_in_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"at step 1 of epoch 0 .*\(now 1e\+30\)"):
        trainer(tmp_path).fit(built(lr=1e30), batches(4))


@pytest.mark.parametrize(("every", "num_steps"), [(3, 3), (50, 6)])
def test_on_a_device_that_is_not_waited_for_the_first_such_step_is_named_later_and_no_checkpoint_is_written(
    model: SingleFrame, tmp_path: Path, every: int, num_steps: int
) -> None:
    model.finite = FiniteGuard(read_every_step=False)
    last = ModelCheckpoint(dirpath=tmp_path, filename="last", save_on_train_epoch_end=True)
    run = trainer(tmp_path, last, log_every_n_steps=every)
    with pytest.raises(DivergedError, match="at step 1 of epoch 0 "):
        run.fit(model, batches(6, bad=1))
    assert run.global_step == num_steps  # until it was read: where it logs, or at the end of the epoch
    assert not list(tmp_path.glob("*.ckpt"))


def test_a_checkpoint_within_an_epoch_is_refused_too(model: SingleFrame, tmp_path: Path) -> None:
    model.finite = FiniteGuard(read_every_step=False)
    every = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    with pytest.raises(DivergedError, match="at step 2 of epoch 0 "):
        trainer(tmp_path, every, log_every_n_steps=50).fit(model, batches(6, bad=2))
    assert sorted(file.name for file in tmp_path.glob("*.ckpt")) == ["step=1.ckpt", "step=2.ckpt"]


class Spoil(Callback):
    """Spoils a weight after so many steps: as a gradient that overflows in the last step of an epoch does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(pl_module.parameters()).view(-1)[0] = float("nan")


def test_weights_that_no_loss_has_shown_to_be_bad_are_written_to_no_checkpoint(
    model: SingleFrame, tmp_path: Path
) -> None:
    last = ModelCheckpoint(dirpath=tmp_path, filename="last", save_on_train_epoch_end=True)
    with pytest.raises(DivergedError, match=r"backbone.stages.* is not finite after 4 steps, and no checkpoint"):
        trainer(tmp_path, Spoil(4), last, max_epochs=1).fit(model, batches(4))
    assert not list(tmp_path.glob("*.ckpt"))


def test_in_validation_the_first_video_without_finite_scores_is_named(model: SingleFrame, tmp_path: Path) -> None:
    run = trainer(tmp_path, limit_val_batches=1.0)
    with pytest.raises(DivergedError, match="the scores of video 3 are not finite after 2 steps"):
        run.fit(model, batches(2), batches(3, bad=1))
    with pytest.raises(CheckpointError, match=r"scores of video 5 are not finite; the weights are, but sums of them"):
        run.validate(model, batches(3, bad=2), verbose=False)


@pytest.mark.parametrize("part", ["spatial", "temporal"])
def test_the_scores_of_every_part_must_be_finite(part: str, tmp_path: Path) -> None:
    model = TwoStream(
        class_names=CLASSES, clip=ClipSettings(flow_len=2), spatial="small", temporal="small", fusion="mean"
    )
    with torch.no_grad():
        next(model.heads[part].parameters()).fill_(float("nan"))
    views = {"rgb": torch.randn(2, 1, 3, 1, 24, 24), "flow": torch.randn(2, 1, 2, 2, 24, 24)}
    batch = {"streams": views, "label": torch.tensor([0, 1]), "index": torch.tensor([4, 5])}
    with pytest.raises(CheckpointError, match=rf"scores of video 4 are not finite; the weight heads.{part}.* is not"):
        trainer(tmp_path).test(model, DataLoader([batch], batch_size=None), verbose=False)  # type: ignore[arg-type]
