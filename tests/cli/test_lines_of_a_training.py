"""A newcomer's first training and test say nothing that is not about their videos, their network or their results."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vidcls.callbacks import fit_files
from vidcls.cli.library_notes import is_worth_reading

LINES_OF_FIT = (
    r"data set: VideoFolder .*: 22 videos of 3 classes \(left, right, still\)",
    r"  train: 12 videos of 3 classes, val: 3 videos of 3 classes, test: 7 videos of 3 classes",
    r"  groups: not known: clips of one recording, person or place may be in training and in the test",
    r"run folder: run",
    r"network: TwoStream, [\d,]+ parameters",
    r"hint: 6 optimiser steps .*",
    r"epoch 1 of 2: train/loss \d\.\d{4}, val/loss \d\.\d{4}, val/top1 \d\.\d{4}",
    r"epoch 2 of 2: train/loss \d\.\d{4}, val/loss \d\.\d{4}, val/top1 \d\.\d{4}",
    r"trained: run \(checkpoints/best\.ckpt, checkpoints/last\.ckpt, metrics\.csv, curves\.png\)",
)
LINES_OF_TEST = (
    r"data set: VideoFolder .*: 22 videos of 3 classes \(left, right, still\)",
    r"  test: 7 videos of 3 classes",
    r"test on 7 videos",
    r"  +top1 +mean_class_accuracy",
    *(rf"{part} +\d\.\d{{4}} +\d\.\d{{4}}(  <- the model's answer)?" for part in ("spatial", "temporal", "mean")),
    *(rf"{part} +\d\.\d{{4}} +\d\.\d{{4}}(  <- the model's answer)?" for part in ("product", "weighted", "svm")),
    r"written to .*: test\.csv, test\.json, test_confusion\.png",
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
        lines = [line for line in done.stdout.splitlines() if line.strip()]
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
