"""The trial that validates best -> one run folder, and the one test of the sweep."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from vidcls.compare.run import last_error
from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.runs.folder import BEST, CHECKPOINTS, SUMMARY_FILE, checkpoint_in, log_name
from vidcls.settings_file import read_json
from vidcls.sweep.study import Trial
from vidcls.sweep.trial import Execute, TrialPlan, logged

WINNER = "winner"
TESTS_FILE = "tests.json"


@dataclass(frozen=True)
class TestedTrial:
    """A trial whose network was scored on the test split.

    Args:
        trial: its number.
        date: when.
    """

    trial: int
    date: str


def make_winner(folder: Path, best: Trial, plan: TrialPlan, *, execute: Execute, say: Callable[[str], object]) -> Path:
    """The run of the best trial: its own, or with folds one that is trained once on the split of the data set.

    Args:
        folder: of the sweep.
        best: the trial.
        plan: how trials are made.
        execute: runs a command.
        say: prints a line.

    Raises:
        ConfigurationError: its training failed.
    """
    run = folder / WINNER
    note = run / "trial.json"
    if note.is_file() and read_json(note).get("number") == best.number and checkpoint_in(run, BEST).is_file():
        return run
    shutil.rmtree(run, ignore_errors=True)
    if plan.num_folds is None:
        shutil.copytree(plan.folder_of(best.number), run)
    else:
        say(f"training trial {best.number} once more, on the training and validation split of the data set ...")
        status = logged(execute, plan.command(best.values, run), run, lambda: False)
        if status != 0:
            raise ConfigurationError(f"{run}: could not be trained: {last_error(run / log_name('fit'), status)}")
    write_text(note, json.dumps({"number": best.number, "values": dict(best.values), "value": best.value}) + "\n")
    return run


def score_once(folder: Path, run: Path, best: Trial, *, execute: Execute, say: Callable[[str], object]) -> None:
    """Score the test split with the winner, unless that was done.

    Raises:
        ConfigurationError: the test failed.
    """
    tested = read_tests(folder)
    if (run / SUMMARY_FILE).is_file():
        say(f"trial {best.number} has been tested: {run}")
        return
    if tested:
        trials = ", ".join(str(each.trial) for each in tested)
        say(
            f"note: the test split was scored before in this sweep, for trial {trials}: "
            "of several tests the best is optimistic; report the last, whatever it says"
        )
    status = logged(execute, ["test", "--run", str(run), "--ckpt_path", BEST], run, lambda: False)
    log = run / log_name("test")
    if status != 0:
        raise ConfigurationError(f"{run}: could not be tested: {last_error(log, status)}")
    tested.append(TestedTrial(best.number, datetime.now().isoformat(timespec="seconds")))
    content = [{"trial": each.trial, "date": each.date} for each in tested]
    write_text(folder / TESTS_FILE, json.dumps(content, indent=1) + "\n")
    for line in log.read_text(encoding="utf-8").splitlines():
        say(line)


def read_tests(folder: Path) -> list[TestedTrial]:
    """The tests of a sweep so far."""
    file = folder / TESTS_FILE
    if not file.is_file():
        return []
    found = read_json(file)
    return [TestedTrial(int(each["trial"]), str(each["date"])) for each in found if isinstance(each, Mapping)]


def thin(plan: TrialPlan, number: int) -> None:
    """Remove the weights of a trial; its settings, curves and validation scores stay."""
    for run, _ in plan.runs_of(number):
        shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)
