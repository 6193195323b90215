"""Settings that were tried and what they reached -> what to try next, and what to stop early: Optuna's one home."""

from __future__ import annotations

import importlib.util
import logging
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidcls.errors import ConfigurationError, MissingExtraError, first_line
from vidcls.sweep.space import Choice, Range, Space, Value

if TYPE_CHECKING:
    import optuna

Pruner = Literal["median", "hyperband", "none"]
Sampler = Literal["tpe", "random"]
State = Literal["complete", "pruned", "failed"]
NAME = "vidcls"
INTERRUPTED, ERROR, SECONDS = "interrupted", "error", "seconds"
NUM_STARTUP = 5
"""Trials before the median says anything, as in Optuna."""


@dataclass(frozen=True)
class Trial:
    """Settings that were tried to the end, or until it was clear that they are not the best.

    Args:
        number: from 0.
        state: how it ended.
        values: by option.
        value: of the monitored number; None for one that failed, or was stopped before it had any.
        seconds: how long it took.
        error: why it failed; empty otherwise.
    """

    number: int
    state: State
    values: Mapping[str, Value]
    value: float | None
    seconds: float
    error: str


def check_installed() -> None:
    """Refuse to go on without Optuna, which is not imported.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingExtraError("a sweep needs optuna: pip install 'vidcls[sweep]'")


class Study:
    """The trials of a sweep, in a SQLite file, so that a second start goes on; any thread may ask and tell.

    Trials that were running when an earlier start ended are tried again first.

    Args:
        file: the database.
        space: what is tried.
        maximises: whether more is better.
        sampler: ``tpe`` learns from the trials so far (Bergstra et al., NeurIPS 2011); ``random`` does not.
        pruner: ``median`` stops a trial that is worse than the median of the others at the same epoch, ``hyperband``
            (Li et al., JMLR 2018) gives most trials few epochs; ``none`` stops none.
        num_steps: epochs of a trial, or folds.
        seed: of what is tried.

    Raises:
        ConfigurationError: the file has a sweep over another space, or is damaged.
    """

    def __init__(
        self,
        file: Path,
        space: Space,
        *,
        maximises: bool,
        sampler: Sampler = "tpe",
        pruner: Pruner = "median",
        num_steps: int = 1,
        seed: int = 0,
    ) -> None:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        for name in ("alembic", "sqlalchemy"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._lock = threading.Lock()
        self._space = {name: _distribution(entry) for name, entry in space.items()}
        self._running: dict[int, optuna.Trial] = {}
        self.maximises = maximises
        try:
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": 60, "check_same_thread": False}}
            )
            self._study = optuna.create_study(
                storage=storage,
                study_name=NAME,
                direction="maximize" if maximises else "minimize",
                load_if_exists=True,
                pruner=_pruner(pruner, num_steps),
            )
            earlier = self._study.get_trials(deepcopy=False)
        except (optuna.exceptions.OptunaError, SQLAlchemyError, RuntimeError) as error:
            raise ConfigurationError(
                f"{file}: cannot be used as the database of a sweep ({first_line(error)}): move it away, or name "
                "another --run"
            ) from error
        # Each start creates a new sampler, which would suggest the same values again from the same seed.
        new_seed = seed + 1000 * len(earlier)
        self._study.sampler = (
            optuna.samplers.TPESampler(seed=new_seed)
            if sampler == "tpe"
            else optuna.samplers.RandomSampler(seed=new_seed)
        )
        for trial in earlier:
            if trial.params and trial.params.keys() != self._space.keys():
                raise ConfigurationError(
                    f"{file}: has trials of {', '.join(trial.params)}, not of {', '.join(self._space)}: pass the same "
                    "space, or name another --run"
                )
            if not trial.state.is_finished() and trial.state != optuna.trial.TrialState.WAITING:
                self._study.enqueue_trial(trial.params)
                self._study.set_user_attr(INTERRUPTED, [*self._interrupted, trial.number])
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def ask(self) -> tuple[int, dict[str, Value]]:
        """The number of the next trial, and the values that it tries."""
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask(self._space)
            self._running[trial.number] = trial
            return trial.number, dict(trial.params)

    def report(self, number: int, step: int, value: float) -> bool:
        """Record what a running trial has reached by a step; whether it is to be stopped."""
        with self._lock:
            trial = self._running[number]
            trial.report(value, step)
            return bool(trial.should_prune())

    def tell(
        self, number: int, state: State, *, value: float | None = None, seconds: float = 0.0, error: str = ""
    ) -> None:
        """Record how a trial ended."""
        from optuna.trial import TrialState

        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        with self._lock:
            trial = self._running.pop(number)
            trial.set_user_attr(SECONDS, round(seconds, 1))
            if error:
                trial.set_user_attr(ERROR, error)
            self._study.tell(number, value if state == "complete" else None, state=states[state])

    @property
    def trials(self) -> list[Trial]:
        """All that ended, those that were interrupted left out."""
        from optuna.trial import TrialState

        states: dict[TrialState, State] = {
            TrialState.COMPLETE: "complete",
            TrialState.PRUNED: "pruned",
            TrialState.FAIL: "failed",
        }
        with self._lock:
            found, interrupted = self._study.get_trials(deepcopy=False), set(self._interrupted)
        return [
            Trial(
                number=trial.number,
                state=states[trial.state],
                values=dict(trial.params),
                value=trial.value,
                seconds=float(trial.user_attrs.get(SECONDS, 0.0)),
                error=str(trial.user_attrs.get(ERROR, "")),
            )
            for trial in found
            if trial.state in states and trial.number not in interrupted
        ]

    @property
    def best(self) -> Trial | None:
        """The trial with the best value, the first of equal ones; None where none came to its end."""
        complete = [trial for trial in self.trials if trial.state == "complete" and trial.value is not None]
        sign = -1 if self.maximises else 1
        return min(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)

    def importances(self) -> dict[str, float]:
        """How much of the variance of the values each option explains, 0 to 1 (fANOVA: Hutter et al., ICML 2014).

        Nothing where there are too few trials, or all reached the same.
        """
        import optuna

        complete = [trial for trial in self.trials if trial.state == "complete"]
        if len(complete) < 4 or len({trial.value for trial in complete}) < 2 or len(self._space) < 2:
            return {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return optuna.importance.get_param_importances(
                    self._study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
                )
        except (RuntimeError, ValueError):  # such as an option that had one value in all of them
            return {}

    @property
    def _interrupted(self) -> list[int]:
        """Numbers of trials whose process ended, so that nothing is known of their values."""
        return list(self._study.user_attrs.get(INTERRUPTED, ()))


def _distribution(entry: Range | Choice) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(entry, Choice):
        return CategoricalDistribution(entry.values)
    if entry.is_integer:
        return IntDistribution(int(entry.low), int(entry.high), log=entry.log, step=int(entry.step or 1))
    return FloatDistribution(float(entry.low), float(entry.high), log=entry.log, step=entry.step)


def _pruner(name: Pruner, num_steps: int) -> optuna.pruners.BasePruner:
    from optuna import pruners

    if name == "median":
        return pruners.MedianPruner(n_startup_trials=NUM_STARTUP, n_warmup_steps=min(1, num_steps - 1))
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=1, max_resource=max(1, num_steps), reduction_factor=3)
    return pruners.NopPruner()


def num_left(trials: Sequence[Trial], wanted: int) -> int:
    """How many trials are still to be made."""
    return max(0, wanted - len(trials))
