"""The folder of a run -> everything that its files say, in one object."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.runs.curves import EPOCH, Curve, read_curves
from vidcls.runs.folder import (
    CHECKPOINTS,
    CONFIG_FILE,
    ENSEMBLE_FILE,
    METRICS_FILE,
    SCORES_FILE,
    SUMMARY_FILE,
)
from vidcls.runs.results import ScoredVideos
from vidcls.runs.score_files import read_scores
from vidcls.runs.summary import Summary, read_summary
from vidcls.runs.trainings import read_trainings


@dataclass(frozen=True)
class RunFolder:
    """A run that was trained and tested.

    Args:
        folder: where it lies.
        videos: that were tested, with the scores of the model.
        summary: what ``test.json`` says.
        config_text: ``config.yaml``; empty where there is none.
        curves: ``(step, value)`` pairs by name, from ``metrics.csv``.
        trainings: what ``run.json`` says of each start; empty where there is none.
    """

    folder: Path
    videos: ScoredVideos
    summary: Summary
    config_text: str = ""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    trainings: tuple[Mapping[str, object], ...] = ()

    @property
    def is_ensemble(self) -> bool:
        """Whether other runs answer together in it."""
        return (self.folder / ENSEMBLE_FILE).is_file()

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that was tested, where it is still there."""
        named = self.summary.get("checkpoint")
        found = [] if not isinstance(named, str) else [Path(named), self.folder / CHECKPOINTS / Path(named).name]
        return next((path for path in found if path.is_file()), None)


def read_run(folder: Path) -> RunFolder:
    """Read the files of a run.

    Raises:
        ConfigurationError: it is no run, was not tested, or a file of it is damaged.
    """
    missing = [name for name in (SUMMARY_FILE, SCORES_FILE) if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"{folder}: has no {missing[0]}: test it first (vidcls test --run {folder}), or pass the folder of a run "
            "that was tested"
        )
    try:
        summary = read_summary(folder)
        videos = read_scores(
            folder / SCORES_FILE, summary["class_names"], summary.get("task"), summary.get("thresholds")
        )
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigurationError(
            f"{folder}: its {SUMMARY_FILE} or {SCORES_FILE} is damaged ({' '.join(str(error).split())}): test it again"
        ) from error
    spoilt = videos.not_finite
    if len(spoilt):
        raise ConfigurationError(
            f"{folder / SCORES_FILE}: the scores of {len(spoilt)} of {len(videos)} videos are NaN or infinite (the "
            f"first is {videos.paths[spoilt[0]]}): the training diverged; train again with a smaller learning rate, "
            "and test that"
        )
    return RunFolder(
        folder,
        videos,
        summary,
        config_text=_text(folder / CONFIG_FILE),
        curves=_curves(folder / METRICS_FILE),
        trainings=tuple(read_trainings(folder)),
    )


def _curves(path: Path) -> dict[str, Curve]:
    if not path.is_file():
        return {}
    try:
        return read_curves(path, drawn=("train/", "val/", EPOCH))
    except (ValueError, TypeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: is damaged ({error}): delete it, and the page has no curves") from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
