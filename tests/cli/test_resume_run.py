"""A training that was stopped and goes on ends as if it had never stopped: weights, log, best checkpoint."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Command = Callable[..., object]
Rows = Callable[[Path], list[dict[str, str]]]
StopAt = Callable[[int, str], list[str]]
OVER_AN_EPOCH = ("train/top1", "train/mean_class_accuracy", "train/plain_loss", "train/plain_loss_spread")
SAVE_OFTEN = ("--save_every_n_steps", "1")


def weights(run: Path, which: str) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / f"{which}.ckpt", weights_only=True)["state_dict"]


def assert_same_end(run: Path, whole: Path) -> None:
    for which in ("last", "best"):
        ours, theirs = weights(run, which), weights(whole, which)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), (which, name)


@pytest.mark.parametrize(
    ("step", "moment"),
    [
        (2, "batch"),  # in the first epoch
        (3, "validation"),  # all steps of the epoch done, its validation not
        (3, "next batch"),  # the epoch done
        (5, "batch"),
    ],
)
def test_an_interrupted_training_goes_on_in_its_folder_and_ends_the_same(
    vidcls: Command, tiny: Path, trained: Path, stop_at: StopAt, tmp_path: Path, rows_of: Rows, step: int, moment: str
) -> None:
    stopped = vidcls("fit", "--config", tiny, *SAVE_OFTEN, *stop_at(step, moment))
    assert stopped.status == 130
    (run,) = (tmp_path / "runs" / "tiny").iterdir()
    go_on = next(line for line in stopped.out.splitlines() if line.startswith("stopped: ")).partition("vidcls ")[2]
    place = f"fit --run {run.relative_to(tmp_path)} --ckpt_path last --allow-class stopping goes on"
    assert go_on.startswith(place)
    assert re.fullmatch(r"( after step \d)?", go_on.removeprefix(place))
    assert vidcls("fit", "--config", tiny, "--ckpt_path", "last").status == 0
    assert list((tmp_path / "runs" / "tiny").iterdir()) == [run]
    assert_same_end(run, trained)
    logged, whole = (rows_of(folder / "metrics.csv") for folder in (run, trained))
    assert [(row["epoch"], row["step"]) for row in logged] == [(row["epoch"], row["step"]) for row in whole]
    for ours, theirs in zip(logged, whole, strict=True):
        # What is counted over the clips of the epoch in which it was stopped counts those after the stop.
        assert {k: v for k, v in ours.items() if k not in OVER_AN_EPOCH} == {
            k: v for k, v in theirs.items() if k not in OVER_AN_EPOCH
        }


def test_the_command_that_is_printed_needs_no_configuration(
    vidcls: Command, tiny: Path, trained: Path, stop_at: StopAt, tmp_path: Path
) -> None:
    assert vidcls("fit", "--config", tiny, *SAVE_OFTEN, *stop_at(4, "batch"), "--run", "mine").status == 130
    resumed = vidcls(
        "fit", "--run", "mine", "--ckpt_path", "last", "--trainer.callbacks", "null", "--allow-class", "stopping"
    )
    assert resumed.status == 0
    assert_same_end(tmp_path / "mine", trained)


def test_steps_after_the_last_checkpoint_are_taken_again_and_logged_once(
    vidcls: Command, tiny: Path, trained: Path, stop_at: StopAt, tmp_path: Path, rows_of: Rows
) -> None:
    assert vidcls("fit", "--config", tiny, *stop_at(5, "batch"), "--run", "mine").status == 130  # saved after 3
    assert max(int(row["step"]) for row in rows_of(tmp_path / "mine" / "metrics.csv")) == 4
    assert vidcls("fit", "--config", tiny, "--run", "mine", "--ckpt_path", "last").status == 0
    assert_same_end(tmp_path / "mine", trained)
    assert (tmp_path / "mine" / "metrics.csv").read_text() == (trained / "metrics.csv").read_text()


def test_saving_within_epochs_saves_after_them_too(vidcls: Command, tiny: Path, trained: Path, tmp_path: Path) -> None:
    assert vidcls("fit", "--config", tiny, "--save_every_n_steps", "4", "--run", "mine").status == 0
    content = torch.load(tmp_path / "mine" / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["global_step"] == 6
    assert_same_end(tmp_path / "mine", trained)


def test_a_training_that_has_ended_takes_more_epochs_from_the_checkpoint_with_its_fitted_svm(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, rows_of: Rows
) -> None:
    before = weights(run, "last")
    assert bool(before["svm.is_fitted"])
    assert vidcls("fit", "--config", tiny, "--ckpt_path", "last", "--trainer.max_epochs", "3").status == 0
    assert [row["epoch"] for row in rows_of(run / "metrics.csv") if row["val/loss"]] == ["0", "1", "2"]
    after = weights(run, "last")
    assert bool(after["svm.is_fitted"])
    learned = [name for name in before if name.startswith("nets.") and name.endswith("weight")]
    assert not any(torch.equal(after[name], before[name]) for name in learned)
    assert vidcls("fit", "--config", tiny, "--trainer.max_epochs", "3", "--run", "whole").status == 0
    assert_same_end(run, tmp_path / "whole")


def test_a_checkpoint_outside_of_a_run_starts_a_new_run_of_its_own(
    vidcls: Command, tiny: Path, trained: Path, tmp_path: Path, rows_of: Rows
) -> None:
    """Whose best checkpoint is the best of its own epochs."""
    alone = shutil.copy(trained / "checkpoints" / "last.ckpt", tmp_path / "alone.ckpt")
    assert vidcls("fit", "--config", tiny, "--ckpt_path", alone, "--trainer.max_epochs", "3").status == 0
    (run,) = (tmp_path / "runs" / "tiny").iterdir()
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert {row["epoch"] for row in rows_of(run / "metrics.csv") if row["val/loss"]} == {"2"}


@pytest.mark.parametrize("words", [(), ("--name", "other"), ("--run", "RUN")])
def test_where_there_is_nothing_to_go_on_from_nothing_starts(
    vidcls: Command, tiny: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "RUN").mkdir()
    assert "last.ckpt" in vidcls("fit", "--config", tiny, "--ckpt_path", "last", *words).refusal()
    assert [path.name for path in tmp_path.rglob("*")] == ["RUN"]


def test_an_interruption_before_the_first_checkpoint_leaves_no_checkpoint_to_be_found(
    vidcls: Command, tiny: Path, stop_at: StopAt
) -> None:
    stopped = vidcls("fit", "--config", tiny, *stop_at(1, "batch"))
    assert stopped.status == 130
    assert "no checkpoint was saved, since the first epoch had not ended" in stopped.out
    assert "last.ckpt" in vidcls("fit", "--config", tiny, "--ckpt_path", "last").refusal()
