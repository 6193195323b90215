"""Values of options -> a training for each validation fold, watched while it runs, and what they reached."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidcls.compare.run import last_error
from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.remote.permission import words_of_permission
from vidcls.runs.curves import read_curves
from vidcls.runs.folder import METRICS_FILE, TRAINED, log_name
from vidcls.sweep.space import Value, options_of
from vidcls.trusted_classes import OPTION, allowed_classes

Watch = Callable[[], bool]
"""Called from time to time while a command runs; returns whether to stop it."""
Execute = Callable[[Sequence[str], Path, Watch], int]
"""Runs ``vidcls`` with these arguments, its output in the file, until it ends or is to be stopped; the exit status."""
Report = Callable[[int, float], bool]
"""Called with a step and the value reached by it; returns whether to stop the trial."""
POLL_SECONDS = 0.5
LEAVE_SECONDS = 120.0
"""For a training that is stopped to write its checkpoint."""


@dataclass(frozen=True)
class Objective:
    """What is optimised.

    Args:
        monitor: the logged number, such as ``val/top1``.
        maximises: whether more is better.
    """

    monitor: str
    maximises: bool

    def curve(self, metrics_csv: Path) -> list[float]:
        """The value of each validation so far."""
        try:
            curves = read_curves(metrics_csv, drawn=(self.monitor,))
        except (OSError, ValueError, TypeError):  # not there yet, or being written
            return []
        return [value for _, value in curves.get(self.monitor, ())]

    def best(self, values: Sequence[float]) -> float:
        """The best of some values."""
        return max(values) if self.maximises else min(values)


@dataclass(frozen=True)
class TrialPlan:
    """How every trial is made.

    Args:
        arguments: of ``vidcls fit``, without those of a trial.
        folder: of all trials.
        objective: what is to become best.
        num_folds: validation folds of a trial; None takes the validation split of the data set.
        name: of the runs.
    """

    arguments: tuple[str, ...]
    folder: Path
    objective: Objective
    num_folds: int | None
    name: str

    def folder_of(self, number: int) -> Path:
        """Where a trial lies."""
        return self.folder / f"{number:04d}"

    def runs_of(self, number: int) -> list[tuple[Path, list[str]]]:
        """The run folders of a trial, and the words that only that run has."""
        folder = self.folder_of(number)
        if self.num_folds is None:
            return [(folder, [])]
        return [
            (folder / f"fold{fold}", ["--data.val_folds", str(self.num_folds), "--data.val_fold", str(fold)])
            for fold in range(self.num_folds)
        ]

    def command(self, values: Mapping[str, Value], run: Path, words: Sequence[str] = ()) -> list[str]:
        """The words behind ``vidcls`` of a training with these values."""
        return ["fit", *self.arguments, *options_of(values), *words, "--name", self.name, "--run", str(run)]


@dataclass(frozen=True)
class Reached:
    """How a trial ended.

    Args:
        value: the best of its epochs, the mean of this over folds; None where it failed, or before any validation.
        is_pruned: whether it was stopped because others are better.
        error: why it failed; empty otherwise.
    """

    value: float | None = None
    is_pruned: bool = False
    error: str = ""


def run_trial(
    plan: TrialPlan, number: int, values: Mapping[str, Value], *, execute: Execute, report: Report, is_over: Watch
) -> Reached:
    """Train fold by fold, and report after each epoch (with folds: after each fold) what was reached.

    Args:
        plan: how every trial is made.
        number: of the trial.
        values: by option.
        execute: runs a command.
        report: called with the value so far; returns whether to stop the trial.
        is_over: whether the sweep is to end at once.

    Raises:
        KeyboardInterrupt: ``is_over``.
    """
    shutil.rmtree(plan.folder_of(number), ignore_errors=True)
    reached: list[float] = []
    runs = plan.runs_of(number)
    for run, words in runs:
        watched = _Watched(plan.objective, run / METRICS_FILE, report if len(runs) == 1 else None, is_over)
        status = logged(execute, plan.command(values, run, words), run, watched.is_to_stop)
        watched.look()
        if is_over():
            raise KeyboardInterrupt
        if watched.is_pruned:
            return Reached(watched.best, is_pruned=True)
        if status != 0:
            return Reached(error=last_error(run / log_name("fit"), status))
        if watched.best is None:
            return Reached(error=f"{run}: {plan.objective.monitor} was never logged; see its {METRICS_FILE}")
        reached.append(watched.best)
        if len(runs) > 1 and report(len(reached) - 1, statistics.fmean(reached)) and len(reached) < len(runs):
            return Reached(statistics.fmean(reached), is_pruned=True)
    return Reached(statistics.fmean(reached))


class _Watched:
    """A running training: its curve, reported as it grows."""

    def __init__(self, objective: Objective, metrics_csv: Path, report: Report | None, is_over: Watch) -> None:
        self._objective, self._file, self._report, self._is_over = objective, metrics_csv, report, is_over
        self._num_told = 0
        self.best: float | None = None
        self.is_pruned = False

    def is_to_stop(self) -> bool:
        """Look, and say whether it is to be stopped."""
        if not self.is_pruned:
            self.is_pruned = self.look()
        return self.is_pruned or self._is_over()

    def look(self) -> bool:
        """Tell the epochs that are new; whether one of them says that the trial is not worth more."""
        values = self._objective.curve(self._file)
        if values:
            self.best = self._objective.best(values)
        wants_end = False
        for step in range(self._num_told, len(values)):
            if self._report is not None:
                wants_end = self._report(step, self._objective.best(values[: step + 1])) or wants_end
        self._num_told = max(self._num_told, len(values))
        return wants_end


def logged(execute: Execute, words: Sequence[str], run: Path, watch: Watch) -> int:
    """Run a command about a run; what it says lies in the run folder in the end. Gives its exit status."""
    log = run.with_name(f"{run.name}.{log_name(words[0])}")  # a new run wants its folder empty
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        return execute(words, log, watch)
    finally:
        if log.is_file():
            run.mkdir(exist_ok=True)
            write_text(run / log_name(words[0]), log.read_text(encoding="utf-8", errors="replace"))
            log.unlink()


def execute_in_process(num_threads: int | None = None, group: str | None = None) -> Execute:
    """What runs each command in a process of its own.

    Args:
        num_threads: of each, where nothing else says; None leaves them all that there are.
        group: of the runs in Weights & Biases, where they are logged there and nothing else says.
    """

    def execute(words: Sequence[str], log: Path, watch: Watch) -> int:
        allowed = [f"{OPTION}={prefix}" for prefix in allowed_classes()]
        allowed += words_of_permission()
        program = [sys.executable, "-P", "-c", "from vidcls.cli import entry; entry()", *words, *allowed]
        environment = dict(os.environ)
        if num_threads is not None:
            environment.setdefault("OMP_NUM_THREADS", str(num_threads))
        if group is not None:
            environment.setdefault("WANDB_RUN_GROUP", group)
        with (
            log.open("wb") as file,
            subprocess.Popen(
                program, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            ) as process,
        ):
            try:
                return _waited(process, watch)
            finally:
                if process.poll() is None:
                    process.kill()

    return execute


def _waited(process: subprocess.Popen[bytes], watch: Watch) -> int:
    while True:
        try:
            return process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if watch():
                break
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def is_trained(folder: Path) -> bool:
    """Whether a training wrote to a folder."""
    return any((folder / name).exists() for name in TRAINED)


def check_none_is_lost(folder: Path) -> None:
    """Refuse a folder of a sweep that holds something else.

    Raises:
        ConfigurationError: names it.
    """
    if is_trained(folder):
        raise ConfigurationError(f"--run {folder}: is the run of a training: name another folder for the sweep")
