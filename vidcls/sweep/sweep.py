"""Trials, several at once, until there are as many as wanted -> the best of them, tested once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.sweep.figure import write_trials
from vidcls.sweep.space import Space, Value
from vidcls.sweep.study import Study, Trial, num_left
from vidcls.sweep.trial import Execute, Reached, TrialPlan, run_trial
from vidcls.sweep.winner import make_winner, score_once, thin

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class SweepSettings:
    """How a sweep goes on.

    Args:
        num_trials: in all, those of earlier starts among them.
        num_processes: trials at once.
        keeps_all: whether the weights of every trial are kept, not those of the best alone.
        is_tested: whether the best is tested in the end.
    """

    num_trials: int
    num_processes: int = 1
    keeps_all: bool = False
    is_tested: bool = True


class Sweep:
    """One start of a sweep.

    Args:
        folder: of the sweep.
        study: its trials.
        space: what is tried.
        plan: how trials are made.
        settings: how it goes on.
        execute: runs a command.
        say: prints a line.
    """

    def __init__(
        self,
        folder: Path,
        study: Study,
        space: Space,
        plan: TrialPlan,
        settings: SweepSettings,
        *,
        execute: Execute,
        say: Callable[[str], object],
    ) -> None:
        self.folder, self.study, self.space, self.plan, self.settings = folder, study, space, plan, settings
        self._execute, self._say = execute, say
        self._is_over = threading.Event()
        self._telling = threading.Lock()
        self._done_seconds: list[float] = []  # of the trials of this start

    def run(self) -> list[Trial]:
        """Make what is missing, and test the best; all trials.

        Raises:
            ConfigurationError: no trial came to its end, or the test failed.
        """
        before = self.study.trials
        if before:
            self._say(f"{len(before)} of {self.settings.num_trials} trials have ended: continuing")
        self._make_trials()
        trials, best = self.study.trials, self.study.best
        monitor, maximises = self.plan.objective.monitor, self.plan.objective.maximises
        files = write_trials(
            self.folder, trials, self.study.importances(), self.space, monitor=monitor, maximises=maximises
        )
        self._say(f"written to {self.folder}: {', '.join(files)}")
        if best is None:
            reasons = [trial.error for trial in trials if trial.error]
            raise ConfigurationError(
                f"{self.folder}: none of {len(trials)} trials came to its end"
                + (f"; the first failed: {reasons[0]}" if reasons else "")
            )
        self._say(f"best: trial {best.number}, {monitor} {best.value:.4f}: {_said(best.values)}")
        run = make_winner(self.folder, best, self.plan, execute=self._execute, say=self._say)
        if self.settings.is_tested:
            score_once(self.folder, run, best, execute=self._execute, say=self._say)
        else:
            self._say(f"not tested: vidcls test --run {run} --ckpt_path best, once, when the sweep is over")
        return trials

    def _make_trials(self) -> None:
        missing = num_left(self.study.trials, self.settings.num_trials)
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(self.settings.num_processes) as threads:
            try:
                while missing > 0 or running:
                    while missing > 0 and len(running) < self.settings.num_processes:
                        missing -= 1
                        running.add(threads.submit(self._make_one))
                    done, running = wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            except BaseException:
                self._is_over.set()
                raise

    def _make_one(self) -> None:
        started = time.monotonic()
        number, values = self.study.ask()
        self._say(f"trial {number} begins: {_said(values)}: {self.plan.folder_of(number)}")
        reached = run_trial(
            self.plan,
            number,
            values,
            execute=self._execute,
            report=lambda step, value: self.study.report(number, step, value),
            is_over=self._is_over.is_set,
        )
        seconds = time.monotonic() - started
        with self._telling:  # trials that end at once would each miss that the other was the best
            self._tell(number, reached, seconds)
        self._say(self._line(number, reached, seconds))

    def _tell(self, number: int, reached: Reached, seconds: float) -> None:
        before = self.study.best
        if reached.error:
            self.study.tell(number, "failed", seconds=seconds, error=reached.error)
        elif reached.is_pruned:
            self.study.tell(number, "pruned", seconds=seconds)
        else:
            self.study.tell(number, "complete", value=reached.value, seconds=seconds)
        self._done_seconds.append(seconds)
        best = self.study.best
        if self.settings.keeps_all:
            return
        if best is None or best.number != number:
            thin(self.plan, number)
        if before is not None and best is not None and before.number != best.number:
            thin(self.plan, before.number)

    def _line(self, number: int, reached: Reached, seconds: float) -> str:
        trials, best = self.study.trials, self.study.best
        left = num_left(trials, self.settings.num_trials)
        how = f"{self.plan.objective.monitor} {reached.value:.4f}" if reached.value is not None else "no value"
        if reached.error:
            how = f"failed: {reached.error}"
        elif reached.is_pruned:
            how = f"stopped early at {how}"
        text = f"[{len(trials)}/{self.settings.num_trials}] trial {number}: {how}, {seconds:.0f} s"
        if best is not None:
            text += f"; best {best.value:.4f} (trial {best.number})"
        mean = sum(self._done_seconds) / len(self._done_seconds)
        return text + (f"; about {_duration(mean * left / self.settings.num_processes)} left" if left else "")


def _said(values: dict[str, Value] | object) -> str:
    assert isinstance(values, dict)
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
