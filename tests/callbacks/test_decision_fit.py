"""What is chosen when a training ends: by which videos, for which checkpoint, and where it cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from vidcls.callbacks import BestCheckpoint, BestEpoch, DecisionFit, HeldOutScores, ProbeFit
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models import Probe, SingleFrame
from vidcls.models.checkpoint import read_checkpoint
from vidcls.probe import ProbeSettings
from vidcls.runs.calibration import fitted_on
from vidcls.runs.held_out import read_held_out
from vidcls.tasks.decision import NO_DECISION
from vidcls.training.decision_settings import DecisionSettings
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
ASKED = DecisionSettings(temperature_scaling=True, unknown="max_probability", known_share=0.8)


def test_a_probe_takes_the_scores_of_its_cross_validation(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    transform = TransformSettings(stretch=True, crop_px=(24, 32))
    data = small_data(VideoFolder(clip_folder), num_snippets=4, clip_len=1, transform=transform)
    choice = ProbeSettings(
        kinds=["logistic"], descriptors=["mean"], places=["grid"], scales=["none"], strengths=[1.0], num_folds=3
    )
    seed_everything(0)
    model = Probe(class_names=data.class_names, clip=data.clip, backbone="small", choice=choice, decision=ASKED)
    callbacks = [HeldOutScores(tmp_path), DecisionFit(tmp_path), ProbeFit(tmp_path, tmp_path / "features")]
    small_trainer(tmp_path, callbacks=callbacks, max_epochs=1).fit(model, data)
    held_out = read_held_out(tmp_path)
    assert held_out is not None
    assert held_out.facts.words == "15 training videos, each scored by heads that had not seen it"
    assert {path.split("/")[0] for path in held_out.videos.paths} == {"train", "val"}  # none of the test
    decision = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt").decision
    assert dict(decision.temperature) == pytest.approx({"model": fitted_on(held_out.videos).temperature}, rel=1e-4)
    assert decision.num_videos == 15


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("multi_label", "model.decision.unknown is for videos of one class each: in the task multi_label one may have"),
        ("single_label", "model.decision is fitted to validation videos: pass a VideoDataModule with some"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_a_step(tmp_path: Path, task: Any, message: str) -> None:
    model = SingleFrame(class_names=["a", "b"], clip=ClipSettings(), task=task, backbone="small", decision=ASKED)
    with pytest.raises(ConfigurationError, match=message):
        DecisionFit(tmp_path).on_fit_start(cast(Any, SimpleNamespace(datamodule=None)), model)


def test_kept_scores_are_those_of_the_best_epoch(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    seed_everything(0)
    data = small_data(VideoFolder(clip_folder))
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    best = BestCheckpoint(tmp_path / "checkpoints", monitor="val/loss")
    callbacks = [BestEpoch(), HeldOutScores(tmp_path), best]
    Trainer(
        default_root_dir=tmp_path, callbacks=callbacks, max_epochs=3, logger=False, enable_progress_bar=False,
        accelerator="cpu", enable_model_summary=False,
    ).fit(model, data)  # fmt: skip
    held_out = read_held_out(tmp_path)
    assert held_out is not None
    model.load_state_dict(torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"])
    model.eval()
    with torch.inference_mode():
        expected = [
            model(data.on_after_batch_transfer(batch, 0)["streams"]["rgb"]).softmax(dim=-1)
            for batch in data.val_dataloader()
        ]
    np.testing.assert_allclose(held_out.videos.scores, torch.cat(expected).numpy(), atol=1e-5)


def test_where_no_validation_video_can_be_read_nothing_is_chosen_and_the_training_is_kept(
    clip_folder: Path,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "videos")
    for file in (folder / "val").rglob("*.avi"):
        file.write_bytes(b"no video")
    data = small_data(VideoFolder(folder), bad_videos="skip")
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small", decision=ASKED)
    run = tmp_path / "run"
    callbacks = [HeldOutScores(run), DecisionFit(run)]
    with pytest.warns(UserWarning, match="counts as wrong"):
        small_trainer(run, callbacks=callbacks, max_epochs=1).fit(model, data)
    line = "nothing is chosen to turn scores into answers: none of 3 validation videos could be read"
    assert capsys.readouterr().out.count(line) == 1
    assert read_checkpoint(run / "checkpoints" / "last.ckpt").decision == NO_DECISION
