"""A newcomer's first training and test say nothing that is not about their videos, their network or their results."""

from __future__ import annotations

import logging
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch

from vidcls.callbacks import fit_files
from vidcls.cli.library_notes import is_worth_reading
from vidcls.training.machine import this_machine

Command = Callable[..., Any]

NUMBER = r"\d*\.\d+"
MEASURED = (
    rf"loss {NUMBER}  val loss {NUMBER}  top1 {NUMBER} \(best {NUMBER}, epoch [12]\)  "
    rf"[\d.]+ clips/s  waiting \d+ %(  lr {NUMBER})?"
)
# Of as many videos as a busy machine opens in a second.
LENGTHS = r"  lengths: 8 frames, 25 frames per second( \(\d+ of 22 videos looked at\))?"
EXACT = r"(, each taken as one trial)?"
NO_BETTER = (r"    this does not show that the model is better than .*",)  # where three videos show it
LINES_OF_FIT = (
    r"data set: VideoFolder .*",
    r"  22 videos of 3 classes \(left, right, still\)",
    r"  train: 12 videos, val: 3 videos, test: 7 videos",
    r"  groups: not known: clips of one recording, person or place may be in training and in the test",
    r"clip: 1 frame and 3 flow fields, 32x32 pixels",
    r"normalisation: RGB by ImageNet's mean and deviation; flow less its mean",
    r"run folder: run",
    r"network: TwoStream, [\d,]+ parameters",
    r"  spatial: small, from scratch",
    r"  temporal: small, from scratch",
    r"device: cpu, \d+ cores?, loading in the process itself",
    r"hint: optimiser steps in the whole run: 6, .*",
    rf"epoch 1/2  {MEASURED}  ETA 0:\d\d",
    r"expected: \d+ s for the whole training \(2 epochs of \d+ s\)",
    rf"epoch 2/2  {MEASURED}",
    r"fitting the SVM over the streams' scores, for the table of the test",
    r"trained: run \(checkpoints/best\.ckpt, checkpoints/last\.ckpt, metrics\.csv, curves\.png\)",
    r"best: epoch [12] of 2, val/top1 \d?\.\d+",
    rf"  top-1 \d+\.\d % \(\d of 3 videos\); 95 % interval \d+\.\d to \d+\.\d % over 3 videos{EXACT}",
    r"    without looking at the videos: guessing 33\.3 %, always \"left\" 33\.3 %",
    *NO_BETTER,
    r"    no groups are known: videos cut from one recording make the interval too narrow",
    r"  chosen among 2 epochs by these videos, so it is optimistic: report the score of the test",
    r"next: vidcls test --run run",
)
LINES_OF_TEST = (
    r"data set: VideoFolder .*",
    r"  22 videos of 3 classes \(left, right, still\)",
    r"  test: 7 videos",
    r"test on 7 videos",
    r"  +top1 +mean_class_accuracy",
    *(rf"{part} +\d\.\d{{4}} +\d\.\d{{4}}(  <- the model's answer)?" for part in ("spatial", "temporal", "mean")),
    *(rf"{part} +\d\.\d{{4}} +\d\.\d{{4}}(  <- the model's answer)?" for part in ("product", "weighted", "svm")),
    r"top-1 \d+\.\d % \(\d of 7 videos\); 95 % interval \d+\.\d to \d+\.\d % over 7 videos(, each taken as one trial)?",
    r"  without looking at the videos: guessing 33\.3 %, always \"left\" 42\.9 %",
    r"mean class accuracy \d+\.\d %; 95 % interval \d+\.\d to \d+\.\d % over 7 videos(, each taken as one trial)?",
    r"  no groups are known: videos cut from one recording make the interval too narrow",
    r"written to .*run: test\.csv, test_spatial\.csv, test_temporal\.csv, .*test\.json, test_confusion\.png, "
    r"test_confusion\.csv, test_worst_confusions\.csv",
    r"next: vidcls report .*run",
)
SPEED = r"the network waited for data in .*"  # said where a busy machine makes the loader slow


def test_a_training_and_a_test_say_what_is_needed_and_no_more(tiny: Path, tmp_path: Path) -> None:
    """In processes of their own: Lightning has other handlers for its notes where tests run."""
    show = ["--trainer.enable_progress_bar", "true"]
    for command, expected in (
        (["fit", "--config", str(tiny), "--run", "run", *show], LINES_OF_FIT),
        (["test", "--run", "run", *show], LINES_OF_TEST),
    ):
        program = [sys.executable, "-P", "-c", "from vidcls.cli import entry; entry()", *command]
        done = subprocess.run(
            program, capture_output=True, text=True, cwd=tmp_path, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if line.strip() and not re.fullmatch(LENGTHS, line)]
        assert len(lines) == len(expected), done.stdout
        for line, pattern in zip(lines, expected, strict=True):
            assert re.fullmatch(pattern, line), line
        said = [line for line in done.stderr.splitlines() if line.strip() and not re.fullmatch(SPEED, line)]
        assert said == []


@pytest.mark.parametrize(
    ("level", "file", "is_shown"),
    [
        (logging.INFO, "lightning/pytorch/trainer/setup.py", False),
        (logging.INFO, "lightning/fabric/utilities/seed.py", False),
        (logging.WARNING, "lightning/pytorch/trainer/setup.py", True),
        (logging.INFO, "lightning/pytorch/tuner/lr_finder.py", True),
        (logging.INFO, "lightning/pytorch/callbacks/timer.py", True),
    ],
)
def test_notes_of_libraries_are_shown_where_they_warn_or_were_asked_for(level: int, file: str, is_shown: bool) -> None:
    import lightning

    path = str(Path(lightning.__file__).parent.parent / file)
    assert is_worth_reading(logging.LogRecord("lightning.pytorch", level, path, 1, "words", None, None)) == is_shown


def test_notes_of_ours_are_shown() -> None:
    assert is_worth_reading(
        logging.LogRecord("lightning.pytorch", logging.INFO, fit_files.__file__, 1, "x", None, None)
    )


def test_verbose_behind_any_command_shows_what_the_libraries_note(vidcls: Command, tiny: Path) -> None:
    handler = logging.StreamHandler(said := StringIO())
    notes = logging.getLogger("lightning.pytorch")
    notes.addHandler(handler)
    try:
        for words in ([], ["--verbose"]):
            said.truncate(0)
            assert vidcls("fit", "--config", tiny, "--trainer.fast_dev_run", "1", *words).status == 0
            assert ("GPU available" in said.getvalue()) == bool(words)
        assert vidcls("--help", "--verbose").status == 0
        assert "--verbose" in vidcls("--help").out
    finally:
        notes.removeHandler(handler)


def test_a_validation_has_one_table_in_the_words_of_the_test(vidcls: Command, run: Path) -> None:
    outcome = vidcls("validate", "--run", run)
    assert outcome.status == 0
    lines = outcome.out.splitlines()[3:]
    assert lines[0] == "validation on 3 videos"
    assert lines[1].split() == ["top1", "mean_class_accuracy"]
    assert [line.split()[0] for line in lines[2:6]] == ["spatial", "temporal", "model", "loss"]
    assert re.fullmatch(
        r"top-1 .* % \(\d of 3 videos\); 95 % interval .* over 3 videos(, each taken as one trial)?", lines[6]
    )
    assert all(re.fullmatch(r"[a-z]+( +\d\.\d{4})+", line) for line in lines[2:6])


def test_too_many_worker_processes_are_one_line_of_ours(vidcls: Command, tiny: Path) -> None:
    num_cores = this_machine().num_cores
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        words = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "0"]
        outcome = vidcls("fit", "--config", tiny, "--data.num_workers", 2 * num_cores + 1, *words)
    assert outcome.status == 0
    assert outcome.out.count("worker processes on") == 1
    assert f"hint: {2 * num_cores + 1} worker processes on {num_cores} cores" in outcome.out
    assert not [w for w in caught if "This DataLoader will create" in str(w.message)]


def test_a_training_ends_with_a_command_that_a_shell_takes(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    outcome = vidcls("fit", "--config", tiny, "--run", "my runs/one", "--trainer.max_epochs", "1")
    last = outcome.out.splitlines()[-1]
    assert last == "next: vidcls test --run 'my runs/one'"
    assert vidcls(*shlex.split(last.removeprefix("next: vidcls "))).status == 0


def test_a_training_that_goes_on_names_the_best_epoch_of_before(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    first = vidcls("fit", "--config", tiny, "--run", "one", "--monitor", "train/top1", "--trainer.max_epochs", "1")
    assert "best: train/top1" in first.out or "best: epoch 1 of 1, train/top1" in first.out
    vidcls("fit", "--config", tiny, "--run", "two", "--trainer.max_epochs", "1")
    state = torch.load("two/checkpoints/last.ckpt", weights_only=True)["callbacks"]["BestEpoch"]
    assert state["epoch"] == 1
    again = vidcls("fit", "--run", "two", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert "  weights: of two/checkpoints/last.ckpt" in again.out
    assert re.search(r"^best: epoch [12] of 2, val/top1 ", again.out, re.MULTILINE)


def test_notes_are_left_out_wherever_lightning_has_its_handler(vidcls: Command, tiny: Path) -> None:
    """It has one elsewhere where the program that imports it logs, too."""
    for name in ("lightning", "lightning.pytorch"):
        handler = logging.StreamHandler(said := StringIO())
        logging.getLogger(name).addHandler(handler)
        try:
            assert vidcls("fit", "--config", tiny, "--trainer.fast_dev_run", "1").status == 0
        finally:
            logging.getLogger(name).removeHandler(handler)
        assert said.getvalue() == ""
