"""A learning rate that is scaled with the batch: what the training takes, says and notes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

SCALED = ("--model.optimization.lr", "0.1", "--model.optimization.lr_scaling", "linear")
SCALED = (*SCALED, "--model.optimization.lr_batch", "16")


def rates(run: Path) -> list[float]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (name,) = (name for name in rows[0] if name.startswith("lr-"))
    return [float(row[name]) for row in rows if row[name]]


def test_it_is_taken_after_the_warm_up_said_in_one_line_and_noted_also_when_resumed(
    vidcls: Callable[..., object], tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [*SCALED, "--model.optimization.warmup", "0.4", "--trainer.accumulate_grad_batches", "2"]
    words += ["--trainer.max_epochs", "3", "--run", "scaled"]
    done = vidcls("fit", "--config", tiny, *words)
    assert done.status == 0, done.err
    line = "learning rate: 0.1 for 16 clips, scaled in proportion to 0.05 for 8 (4 clips x 2 batches)"
    assert caplog.messages.count(line) == 1
    (noted,) = json.loads((tmp_path / "scaled" / "run.json").read_text())["trainings"]
    assert noted["learning_rate"] == {"rule": "linear", "base_lr": 0.1, "base_batch": 16, "batch": 8, "lr": 0.05}
    assert max(rates(tmp_path / "scaled")) == pytest.approx(0.05)
    assert min(rates(tmp_path / "scaled")) < 0.03
    again = vidcls("fit", "--run", "scaled", "--ckpt_path", "last", "--trainer.max_epochs", "4")
    assert again.status == 0, again.err
    assert max(rates(tmp_path / "scaled")) == pytest.approx(0.05)
    other = vidcls(
        *("fit", "--run", "scaled", "--ckpt_path", "last", "--trainer.max_epochs", "5"),
        *("--trainer.accumulate_grad_batches", "4"),
    )
    assert other.status == 0, other.err
    assert rates(tmp_path / "scaled")[-1] == pytest.approx(0.1)


def test_batches_of_a_step_that_change_are_refused_in_one_line(vidcls: Callable[..., object], tiny: Path) -> None:
    schedule = "{class_path: GradientAccumulationScheduler, init_args: {scheduling: {0: 1, 1: 2}}}"
    refused = vidcls("fit", "--config", tiny, *SCALED, "--trainer.callbacks+", schedule)
    assert "optimization.lr_scaling: the batches of a step change from epoch to epoch" in refused.refusal()
