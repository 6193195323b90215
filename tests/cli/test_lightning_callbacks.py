"""Callbacks of Lightning in a YAML file: each runs, or one line says what to use in its place."""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

Command = Callable[..., object]
Rows = Callable[[Path], list[dict[str, str]]]
pytestmark = pytest.mark.filterwarnings("ignore")
NAMES = (
    "val/loss, val/mean_class_accuracy, val/top1, train/loss, train/mean_class_accuracy, train/plain_loss, "
    "train/plain_loss_spread, train/top1"
)
MODEL = """
seed_everything: 1
model:
  class_path: SingleFrame
  init_args:
    backbone: small
    optimization: {{lr: 0.05, schedule: cosine}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  batch_size: 4
  num_workers: 0
  transform: {{resize_px: null, crop_px: 24, train_crop: center, flip_probability: 0.0}}
trainer:
  max_epochs: 1
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: {bar}
  enable_model_summary: false
"""


@pytest.fixture
def fit(vidcls: Command, clip_folder: Path, tmp_path: Path) -> Callable[..., object]:
    """Trains with callbacks in a YAML file, into the run folder ``run``."""

    def train(*callbacks: tuple[str, dict[str, object]], options: tuple[object, ...] = (), bar: bool = False) -> object:
        (tmp_path / "small.yaml").write_text(MODEL.format(root=clip_folder, bar=str(bar).lower()))
        section = {"callbacks": [{"class_path": name, "init_args": settings} for name, settings in callbacks]}
        (tmp_path / "callbacks.yaml").write_text(yaml.safe_dump(section))
        return vidcls("fit", "--config", "small.yaml", "--trainer", "callbacks.yaml", "--run", "run", *options)

    return train


@pytest.mark.parametrize(
    ("callback", "settings"),
    [
        ("EarlyStopping", {"monitor": "val/loss", "patience": 2}),
        ("EarlyStopping", {"monitor": "nowhere", "strict": False}),
        ("Timer", {"duration": "00:01:00:00"}),
        ("LearningRateMonitor", {"logging_interval": "epoch"}),
        ("DeviceStatsMonitor", {"cpu_stats": False}),
        ("RichProgressBar", {}),
        ("TQDMProgressBar", {"refresh_rate": 2}),
        ("ModelSummary", {"max_depth": 2}),
        ("WeightAveraging", {}),
        ("ModelCheckpoint", {"save_last": True}),
        ("ModelCheckpoint", {"every_n_epochs": 1, "save_top_k": -1}),
        ("ModelCheckpoint", {"monitor": "val/top1", "mode": "max", "save_top_k": 3}),
        ("ModelCheckpoint", {"monitor": "step", "mode": "max", "every_n_train_steps": 2}),
    ],
)
def test_it_runs_and_the_run_has_its_files_and_is_tested_by_its_configuration(
    fit: Callable[..., object], vidcls: Command, tmp_path: Path, callback: str, settings: dict[str, object]
) -> None:
    if callback.startswith("Rich") and importlib.util.find_spec("rich") is None:
        pytest.skip("needs rich")
    outcome = fit((callback, settings), bar="ProgressBar" in callback)
    assert outcome.status == 0, outcome.err
    checkpoints = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert checkpoints >= {"best.ckpt", "last.ckpt"}
    assert (len(checkpoints) > 2) == (callback == "ModelCheckpoint")
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 3
    if callback in ("Timer", "ModelCheckpoint"):  # those with a state or settings that a file must hold
        words = ("--run", "run", "--ckpt_path", "last", "--trainer.max_epochs", "2")
        assert vidcls("fit", *words).status == 0


@pytest.mark.parametrize(
    ("callback", "settings", "options", "message"),
    [
        (
            "EarlyStopping",
            {"monitor": "val_loss"},
            (),
            f"EarlyStopping: monitor 'val_loss' is not measured: use one of {NAMES}",
        ),
        (
            "EarlyStopping",
            {"monitor": "val/loss"},
            ("--trainer.limit_val_batches", "0"),
            "EarlyStopping: monitor 'val/loss' is not measured: use one of train/loss",
        ),
        (
            "ModelCheckpoint",
            {"monitor": "val_acc"},
            (),
            f"ModelCheckpoint: monitor 'val_acc' is not measured: use one of {NAMES}",
        ),
        ("BackboneFinetuning", {}, (), "BackboneFinetuning: adds weights to an optimiser.*use --model.transfer.freeze"),
        (
            "StochasticWeightAveraging",
            {"swa_lrs": 0.01},
            ("--model.layers.norm", "none"),
            "averages a network without batch norm after its last checkpoint.*use --trainer ema",
        ),
        ("LearningRateFinder", {"attr_name": "rate"}, (), "trainer.callbacks: .*rate"),
        ("BatchSizeFinder", {"batch_arg_name": "size"}, (), "Field size not found"),
    ],
)
def test_it_is_refused_in_one_line_before_anything_is_trained(
    fit: Callable[..., object],
    tmp_path: Path,
    callback: str,
    settings: dict[str, object],
    options: tuple[object, ...],
    message: str,
) -> None:
    line = fit((callback, settings), options=options).refusal()
    assert re.search(message, line), line
    assert not (tmp_path / "run").exists()


def test_a_name_that_is_not_logged_is_refused_before_the_first_validation(
    fit: Callable[..., object], tmp_path: Path
) -> None:
    options = ("--monitor", "val_loss", "--trainer.num_sanity_val_steps", "0")
    line = fit(("Timer", {"duration": "00:01:00:00"}), options=options).refusal()
    assert f"--monitor val_loss: is not measured: use one of {NAMES}" in line
    assert not (tmp_path / "run").exists()


def test_two_that_a_checkpoint_could_not_tell_apart_are_one_line(fit: Callable[..., object]) -> None:
    twins = ("ModelCheckpoint", {"save_top_k": -1}), ("ModelCheckpoint", {"save_last": True})
    assert "trainer.callbacks: Found more than one stateful callback" in fit(*twins).refusal()


def rates(rows: list[dict[str, str]], column: str = "lr-SGD") -> list[float]:
    return [float(row[column]) for row in rows if row[column]]


@pytest.mark.parametrize(("finder", "num_steps"), [("LearningRateFinder", 24), ("LearningRateRangeTest", 80)])
def test_a_learning_rate_that_is_found_holds_for_the_whole_schedule(
    fit: Callable[..., object], tmp_path: Path, rows_of: Rows, finder: str, num_steps: int
) -> None:
    found = (finder, {"num_training_steps": num_steps})
    options = ("--trainer.max_epochs", "10", "--model.transfer.lr_decay", "0.5", "--trainer.limit_val_batches", "0")
    outcome = fit(found, options=options)
    assert outcome.status == 0
    head = rates(rows_of(tmp_path / "run/metrics.csv"), "lr-SGD/head")
    stage = rates(rows_of(tmp_path / "run/metrics.csv"), "lr-SGD/backbone.block4")
    assert head[0] != 0.05
    assert head == pytest.approx([head[0] * (1 + math.cos(math.pi * k / 30)) / 2 for k in range(30)], rel=1e-4)
    assert stage == pytest.approx([rate / 2 for rate in head])
    assert ".lr_find" not in outcome.out  # as the checkpoint that the training goes on from
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"checkpoints", "metrics.csv"}
    assert not list((tmp_path / "run").glob(".lr_find*"))


def test_the_schedule_ends_with_the_steps_of_the_batch_size_that_is_found(
    fit: Callable[..., object], tmp_path: Path, rows_of: Rows
) -> None:
    found = ("BatchSizeFinder", {"max_trials": 2, "init_val": 3, "steps_per_trial": 1})
    outcome = fit(found, options=("--trainer.max_epochs", "2"))
    assert outcome.status == 0  # 3, then 6: two batches an epoch
    assert ".scale_batch_size" not in outcome.out  # as the checkpoint that the training goes on from
    expected = [0.05 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert rates(rows_of(tmp_path / "run/metrics.csv")) == pytest.approx(expected)


def test_a_batch_size_finder_stops_at_the_number_of_videos(
    fit: Callable[..., object], tmp_path: Path, rows_of: Rows
) -> None:
    assert fit(("BatchSizeFinder", {"init_val": 8, "steps_per_trial": 1})).status == 0
    assert len(rates(rows_of(tmp_path / "run/metrics.csv"))) == 1


def test_the_schedule_counts_the_steps_of_an_accumulation_that_changes(
    fit: Callable[..., object], tmp_path: Path, rows_of: Rows
) -> None:
    assert (
        fit(
            ("GradientAccumulationScheduler", {"scheduling": {0: 1, 1: 2}}), options=("--trainer.max_epochs", "2")
        ).status
        == 0
    )
    expected = [0.05 * (1 + math.cos(math.pi * k / 5)) / 2 for k in range(5)]  # 3 steps, then 2
    rows = rows_of(tmp_path / "run/metrics.csv")
    assert list(dict.fromkeys(rates(rows))) == pytest.approx(expected)


def test_averaged_weights_are_in_the_last_checkpoint(
    fit: Callable[..., object], vidcls: Command, tmp_path: Path
) -> None:
    averaging = ("StochasticWeightAveraging", {"swa_lrs": 0.05, "swa_epoch_start": 2})
    assert fit(averaging, options=("--trainer.max_epochs", "3")).status == 0
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert last["epoch"] == 3  # the epoch behind the last, in which batch norm sees the average
    weights = {name: value for name, value in last["state_dict"].items() if value.is_floating_point()}
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert vidcls("test", "--run", "run", "--ckpt_path", "last").status == 0


@pytest.mark.parametrize(("batch_size", "status"), [(12, 0), (64, 0), (5, 0), (1, 2)])
def test_a_batch_of_one_with_batch_norm_over_single_values_is_one_line(
    fit: Callable[..., object], tmp_path: Path, batch_size: int, status: int
) -> None:
    deep = ("--model.backbone", "resnet18", "--data.batch_size", batch_size, "--trainer.limit_val_batches", "0")
    outcome = fit(("Timer", {"duration": "00:01:00:00"}), options=(*deep, "--trainer.max_steps", "1"))
    assert outcome.status == status, outcome.err
    if status:
        line = outcome.refusal()
        assert "batch normalisation needs more than one value in each channel, but this batch has 1 clip" in line
        assert "--data.batch_size 2" in line
