"""A run that is stopped and resumed has the weights of the run that was not, to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream
from vidcls.training.optimization import OptimizationSettings
from vidcls.transforms import TransformSettings

pytestmark = pytest.mark.filterwarnings("ignore")

BATCHES_PER_EPOCH = 4
NUM_EPOCHS = 3


class SeenClips(Callback):
    """Writes down which clips were trained on, and their pixels in one number."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], float]] = []

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: dict,
        batch_idx: int,
    ) -> None:
        self.batches.append(
            (
                batch["index"].tolist(),
                float(batch["streams"]["rgb"].double().sum() + batch["streams"]["flow"].double().sum()),
            )
        )


@dataclass
class Run:
    model: TwoStream
    batches: list[tuple[list[int], float]]
    folder: Path


def train(
    dataset: VideoFolder,
    folder: Path,
    *,
    resume: Path | None = None,
    save: ModelCheckpoint | None = None,
    num_workers: int = 0,
    accumulate: int = 1,
    val_check_interval: float = 1.0,
    max_steps: int = -1,
) -> Run:
    """Three epochs over 12 clips in batches of 3: four batches an epoch, with dropout, jitter, flips and a schedule."""
    seed_everything(3)
    data = VideoDataModule(
        dataset,
        streams=("rgb", "flow"),
        clip_len=2,
        flow_len=3,
        transform=TransformSettings(resize_px=32, crop_px=24, color_jitter=0.3),
        batch_size=3,
        num_workers=num_workers,
        seed=5,
    )
    model = TwoStream(
        class_names=data.class_names,
        clip=data.clip,
        spatial="small",
        temporal="small",
        dropout=0.5,
        optimization=OptimizationSettings(lr=0.05, warmup=0.2),
    )
    seen = SeenClips()
    trainer = Trainer(
        max_epochs=-1 if max_steps > 0 else NUM_EPOCHS,
        max_steps=max_steps,
        accelerator="cpu",
        logger=False,
        callbacks=[seen, *([save] if save else [])],
        enable_checkpointing=save is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        accumulate_grad_batches=accumulate,
        val_check_interval=val_check_interval,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
    assert trainer.global_step == BATCHES_PER_EPOCH * NUM_EPOCHS // accumulate
    return Run(model, seen.batches, folder)


def every_step(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)


def assert_same(resumed: Run, whole: Run) -> None:
    assert resumed.batches == whole.batches[len(whole.batches) - len(resumed.batches) :]
    for (name, a), b in zip(resumed.model.state_dict().items(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), f"{name} differs by {float((a - b).abs().max())}"


@pytest.fixture(scope="module")
def whole(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("whole")
    return train(clip_dataset, folder, save=every_step(folder))


@pytest.mark.parametrize("step", [1, 4, 7, 8, 11])
def test_a_run_resumed_after_any_step_ends_with_the_weights_of_the_whole_run(
    whole: Run, clip_dataset: VideoFolder, tmp_path: Path, step: int
) -> None:
    resumed = train(clip_dataset, tmp_path, resume=whole.folder / f"step={step}.ckpt")
    assert len(resumed.batches) == BATCHES_PER_EPOCH * NUM_EPOCHS - step
    assert_same(resumed, whole)


def test_loading_in_two_processes_changes_nothing_and_resumes_as_well(
    whole: Run, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    by_workers = train(clip_dataset, tmp_path, num_workers=2, save=every_step(tmp_path / "steps"))
    assert_same(by_workers, whole)
    assert_same(train(clip_dataset, tmp_path, resume=tmp_path / "steps" / "step=6.ckpt", num_workers=2), whole)


def test_a_resumed_run_can_be_resumed_again(whole: Run, clip_dataset: VideoFolder, tmp_path: Path) -> None:
    train(clip_dataset, tmp_path, resume=whole.folder / "step=2.ckpt", save=every_step(tmp_path / "second"))
    assert_same(train(clip_dataset, tmp_path, resume=tmp_path / "second" / "step=3.ckpt"), whole)
    assert_same(train(clip_dataset, tmp_path, resume=tmp_path / "second" / "step=9.ckpt"), whole)


@pytest.mark.parametrize("val_check_interval", [1.0, 0.5])
def test_a_checkpoint_of_the_end_of_a_validation_resumes_exactly(
    whole: Run, clip_dataset: VideoFolder, tmp_path: Path, val_check_interval: float
) -> None:
    save = ModelCheckpoint(
        tmp_path / "val", filename="{step}", monitor="val/loss", save_top_k=-1, save_on_train_epoch_end=False
    )
    assert_same(train(clip_dataset, tmp_path, save=save, val_check_interval=val_check_interval), whole)
    saved = sorted((tmp_path / "val").iterdir())
    assert len(saved) == NUM_EPOCHS / val_check_interval
    for path in saved[-2:]:
        resumed = train(clip_dataset, tmp_path, resume=path, val_check_interval=val_check_interval)
        assert_same(resumed, whole)


def test_a_checkpoint_of_the_end_of_an_epoch_resumes_exactly(
    whole: Run, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    save = ModelCheckpoint(tmp_path / "epochs", filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    train(clip_dataset, tmp_path, save=save)
    assert_same(train(clip_dataset, tmp_path, resume=tmp_path / "epochs" / "epoch=0.ckpt"), whole)


def test_a_run_counted_in_steps_resumes_exactly(whole: Run, clip_dataset: VideoFolder, tmp_path: Path) -> None:
    max_steps = BATCHES_PER_EPOCH * NUM_EPOCHS
    for step in (3, 8):
        resumed = train(clip_dataset, tmp_path, resume=whole.folder / f"step={step}.ckpt", max_steps=max_steps)
        assert_same(resumed, whole)


def test_a_run_that_accumulates_gradients_resumes_exactly(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    whole = train(clip_dataset, tmp_path, save=every_step(tmp_path / "steps"), accumulate=2)
    assert_same(train(clip_dataset, tmp_path, resume=tmp_path / "steps" / "step=3.ckpt", accumulate=2), whole)


def test_the_position_of_a_checkpoint_is_used_by_one_run_only(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=32, crop_px=24)
    data = VideoDataModule(clip_dataset, transform=transform, batch_size=3, num_workers=0)
    data.load_state_dict(data.train_dataloader().state_dict() | {"num_batches": 3})
    data.teardown("test")
    assert len(list(data.train_dataloader())) == BATCHES_PER_EPOCH


def test_a_run_is_not_resumed_with_another_seed(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=32, crop_px=24)
    first, second = (
        VideoDataModule(clip_dataset, transform=transform, batch_size=3, num_workers=0, seed=seed) for seed in (3, 0)
    )
    first.train_dataloader()
    second.load_state_dict(first.state_dict())
    with pytest.raises(ConfigurationError, match=r"trained with seed 3, now it is 0: .* pass the same --seed"):
        second.train_dataloader()
