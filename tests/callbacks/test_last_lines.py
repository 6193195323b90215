"""The end of a training: what the best epoch was worth on the videos of the validation, also after a resumption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import Trainer

from vidcls.callbacks import BestCheckpoint, BestEpoch, last_checkpoints
from vidcls.callbacks.last_lines import last_lines
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame

MakeData = Callable[..., VideoDataModule]


def fit(run: Path, data: VideoDataModule, *, max_epochs: int, resume: Path | None = None) -> Trainer:
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    folder = run / "checkpoints"
    best = BestCheckpoint(folder, monitor="val/top1")
    trainer = Trainer(
        max_epochs=max_epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[best, BestEpoch(), *last_checkpoints(folder, every_n_steps=None)],
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True)
    return trainer


def test_the_best_epoch_has_its_hits_interval_and_what_guessing_reaches(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData
) -> None:
    trainer = fit(tmp_path, small_data(clip_dataset), max_epochs=2)
    noted = next(callback for callback in trainer.callbacks if isinstance(callback, BestEpoch))
    assert noted.best is not None
    hits = round(3 * noted.best.value)
    assert sum(noted.validated.values()) == hits
    lines = last_lines(trainer, tmp_path, ["metrics.csv"])
    assert lines[1].startswith(f"best: epoch {noted.best.epoch} of 2, val/top1 ")
    assert lines[2].startswith(f"  top-1 {100 * hits / 3:.1f} % ({hits} of 3 videos); 95 % interval ")
    assert lines[3].startswith("    without looking at the videos: guessing 33.3 %, always ")
    assert "  chosen among 2 epochs by these videos, so it is optimistic: report the score of the test" in lines
    assert lines[-1] == f"next: vidcls test --run {tmp_path}"


def test_a_resumed_training_knows_which_videos_were_right_in_an_earlier_best_epoch(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData
) -> None:
    first = fit(tmp_path, small_data(clip_dataset), max_epochs=1)
    before = next(callback for callback in first.callbacks if isinstance(callback, BestEpoch))
    second = fit(
        tmp_path, small_data(clip_dataset), max_epochs=1, resume=tmp_path / "checkpoints" / "last.ckpt"
    )  # nothing is left to train
    after = next(callback for callback in second.callbacks if isinstance(callback, BestEpoch))
    assert (after.best, after.validated) == (before.best, before.validated)
    assert len(after.validated) == 3


def test_a_video_that_was_left_out_stays_out_of_what_a_checkpoint_keeps() -> None:
    noted = BestEpoch()
    noted.load_state_dict({"value": 0.5, "epoch": 3, "validated": "1-0"})
    assert noted.validated == {0: True, 2: False}
    assert noted.state_dict() == {"value": 0.5, "epoch": 3, "validated": "1-0"}
