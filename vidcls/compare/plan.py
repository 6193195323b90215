"""Configurations, seeds and folds -> the list of runs, each with its folder and the arguments of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PlannedRun:
    """One training and its test.

    Args:
        name: of the model in the comparison.
        seed: of everything random in the training.
        fold: which fold is tested, from 0; None where the data set's own split is used.
        folder: of the run.
        arguments: of ``vidcls fit``.
    """

    name: str
    seed: int
    fold: int | None
    folder: Path
    arguments: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name, seed and fold."""
        return f"{self.name} seed {self.seed}" + (f" fold {self.fold}" if self.fold is not None else "")


def planned_runs(
    arguments_by_name: Mapping[str, Sequence[str]], output: Path, *, seeds: Sequence[int], num_folds: int | None
) -> list[PlannedRun]:
    """Every model with every seed and every fold; all models of one seed come before those of the next.

    Args:
        arguments_by_name: of ``vidcls fit``, without seed, fold, name and folder.
        output: the folder of the comparison; a run lies in ``<name>/seed<S>`` or ``<name>/seed<S>_fold<F>``.
        seeds: one training each.
        num_folds: how many folds there are; None takes the data set's own split.
    """
    return [
        _run(name, arguments, output, seed, fold, num_folds)
        for seed in seeds
        for fold in (range(num_folds) if num_folds else [None])
        for name, arguments in arguments_by_name.items()
    ]


def _run(
    name: str, arguments: Sequence[str], output: Path, seed: int, fold: int | None, num_folds: int | None
) -> PlannedRun:
    folder = output / name / (f"seed{seed}" if fold is None else f"seed{seed}_fold{fold}")
    folds = [] if fold is None else ["--data.num_folds", str(num_folds), "--data.fold", str(fold)]
    ends = ["--seed_everything", str(seed), "--name", name, "--run", str(folder)]
    return PlannedRun(name, seed, fold, folder, (*arguments, *folds, *ends))
