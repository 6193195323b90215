"""``metrics.csv``: one row for each logging, and no row twice when a run goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from vidcls.callbacks import MetricsLog


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def log(run: Path, steps: list[int], *, name: str = "train/loss", resumed_at_step: int | None = None) -> None:
    logger = MetricsLog(run, resumed_at_step=resumed_at_step)
    for step in steps:
        logger.log_metrics({name: step / 8, "epoch": step // 4}, step)
    logger.save()
    logger.finalize("success")


def test_the_file_lies_in_the_run_folder_itself(tmp_path: Path) -> None:
    log(tmp_path, [0, 1, 2])
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    assert rows(tmp_path) == [
        {"epoch": "0", "step": "0", "train/loss": "0.0"},
        {"epoch": "0", "step": "1", "train/loss": "0.125"},
        {"epoch": "0", "step": "2", "train/loss": "0.25"},
    ]


@pytest.mark.parametrize(("resumed_at", "kept"), [(0, []), (3, [0, 1, 2]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])])
def test_a_resumed_run_keeps_the_rows_of_the_steps_that_its_checkpoint_has_taken(
    tmp_path: Path, resumed_at: int, kept: list[int]
) -> None:
    log(tmp_path, [0, 1, 2, 3, 4])
    log(tmp_path, [resumed_at, resumed_at + 1], resumed_at_step=resumed_at)
    assert [int(row["step"]) for row in rows(tmp_path)] == [*kept, resumed_at, resumed_at + 1]


def test_a_column_that_is_new_after_the_resume_joins_the_others(tmp_path: Path) -> None:
    log(tmp_path, [0, 1])
    log(tmp_path, [2], name="val/top1", resumed_at_step=2)
    assert rows(tmp_path) == [
        {"epoch": "0", "step": "0", "train/loss": "0.0", "val/top1": ""},
        {"epoch": "0", "step": "1", "train/loss": "0.125", "val/top1": ""},
        {"epoch": "0", "step": "2", "train/loss": "", "val/top1": "0.25"},
    ]


@pytest.mark.parametrize("torn", ["0", "0,", "0,1", "0,1,0", "0,1,0.12"])
def test_a_row_that_a_kill_has_torn_is_dropped(tmp_path: Path, torn: str) -> None:
    """``0,1`` may be the beginning of step 10, and 0.12 that of 0.125."""
    log(tmp_path, [0, 1])
    with (tmp_path / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write(torn)
    log(tmp_path, [2], resumed_at_step=2)
    assert [row["step"] for row in rows(tmp_path)] == ["0", "1", "2"]


def test_a_resume_without_a_log_starts_one(tmp_path: Path) -> None:
    log(tmp_path, [4], resumed_at_step=4)
    assert [row["step"] for row in rows(tmp_path)] == ["4"]


def test_a_run_that_resumes_from_nothing_has_no_row_of_another(tmp_path: Path) -> None:
    log(tmp_path, [0, 1])
    log(tmp_path, [0])
    assert [row["step"] for row in rows(tmp_path)] == ["0"]


def test_hyper_parameters_go_into_no_second_file(tmp_path: Path) -> None:
    logger = MetricsLog(tmp_path)
    logger.log_hyperparams({"lr": 1})
    logger.save()
    assert {path.name for path in tmp_path.iterdir()} <= {"metrics.csv"}


def test_a_kill_after_a_checkpoint_loses_no_row_of_a_step_that_it_counts(tmp_path: Path) -> None:
    """Lightning logs the row of a step after the checkpoint of that step."""
    logger = MetricsLog(tmp_path)
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, 0)
    assert not (tmp_path / "metrics.csv").exists()
    logger.after_save_checkpoint(ModelCheckpoint())
    assert [row["step"] for row in rows(tmp_path)] == ["0"]
    logger.log_metrics({"train/loss": 0.25, "epoch": 0}, 1)
    assert [row["step"] for row in rows(tmp_path)] == ["0", "1"]
    logger.log_metrics({"train/loss": 0.125, "epoch": 0}, 2)
    assert [row["step"] for row in rows(tmp_path)] == ["0", "1"]  # kept for a while


def test_a_kill_while_columns_are_added_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = MetricsLog(tmp_path)
    logger.log_metrics({"train/loss": 0.5, "epoch": 0}, 0)
    logger.save()
    before = rows(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vidcls.callbacks.metrics_log.write_text", killed)
    logger.log_metrics({"val/top1": 0.5, "epoch": 0}, 1)
    with pytest.raises(KeyboardInterrupt):
        logger.save()
    assert rows(tmp_path) == before
