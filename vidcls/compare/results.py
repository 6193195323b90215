"""Run folders, of a comparison or made by hand -> what each run reached, grouped by model and seed."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidcls.compare.clips import num_videos
from vidcls.compare.improving import still_improving
from vidcls.compare.run import read_record
from vidcls.compare.settings import (
    LINKED,
    NO_EFFECT_ON_RESULTS,
    OF_ONE_RUN,
    PLACES,
    first_difference,
    has_epochs,
    section,
)
from vidcls.errors import ConfigurationError, VidclsError
from vidcls.runs.curves import validation_curve
from vidcls.runs.folder import BEST, CONFIG_FILE, ENSEMBLE_FILE, METRICS_FILE, SCORES_FILE, SUMMARY_FILE, checkpoint_in
from vidcls.runs.results import ScoredVideos, joined
from vidcls.runs.score_files import read_scores
from vidcls.runs.summary import read_summary, tested_checkpoint
from vidcls.settings_file import read_settings

FREE_WITHIN_A_MODEL = (
    *LINKED,
    *PLACES,
    *NO_EFFECT_ON_RESULTS,
    *OF_ONE_RUN,
    "data.class_names",
    "data.flow_settings",
)


@dataclass(frozen=True)
class RunResult:
    """What one run folder says.

    Args:
        folder: of the run.
        settings: its configuration, in plain types.
        videos: that were tested, with their scores.
        num_views: views of a test video whose scores were averaged.
        curve: ``(epoch, main metric)`` of the validation split, epochs from 0.
        train_seconds: wall time of the training; None where it was made by hand.
        improving: whether it stopped while it got better; None where that cannot be said.
        checkpoint: the file that was tested.
    """

    folder: Path
    settings: dict[str, object]
    videos: ScoredVideos
    num_views: int
    curve: tuple[tuple[int, float], ...]
    train_seconds: float | None
    improving: bool | None
    checkpoint: Path

    @property
    def name(self) -> str:
        """Of the model in the comparison."""
        return str(self.settings.get("name") or self.folder.parent.name)

    @property
    def seed(self) -> int:
        """Of the training."""
        seed = self.settings.get("seed_everything")
        return seed if isinstance(seed, int) else 0

    @property
    def fold(self) -> int | None:
        """Which fold was tested."""
        fold = section(self.settings, "data").get("fold")
        return fold if isinstance(fold, int) else None

    @property
    def num_folds(self) -> int:
        """How many runs make one seed."""
        found = section(self.settings, "data").get("num_folds")
        return found if isinstance(found, int) else 1

    @property
    def class_path(self) -> str:
        """Of the model."""
        return str(section(self.settings, "model").get("class_path"))

    @property
    def num_epochs(self) -> int:
        """Epochs that were begun and validated."""
        return self.curve[-1][0] + 1 if self.curve else 0


def found_runs(root: Path) -> tuple[list[RunResult], list[str]]:
    """Every tested run in ``root`` or up to two folders below, and a line for each run that is not tested."""
    configs = [path for pattern in ("", "*/", "*/*/") for path in sorted(root.glob(f"{pattern}{CONFIG_FILE}"))]
    folders = [
        config.parent
        for config in configs
        if any((config.parent / name).is_file() for name in (METRICS_FILE, ENSEMBLE_FILE))
    ]
    tested = [folder for folder in folders if (folder / SUMMARY_FILE).is_file()]
    notes = [
        f"{folder}: not tested, left out: vidcls test --run {folder}" for folder in folders if folder not in tested
    ]
    return [read_result(folder) for folder in tested], notes


def read_result(folder: Path) -> RunResult:
    """The results of a tested run.

    Raises:
        ConfigurationError: a file of it is missing or is not what vidcls wrote.
    """
    try:
        settings = read_settings(folder / CONFIG_FILE)
        summary = read_summary(folder)
        videos = read_scores(
            folder / SCORES_FILE, summary["class_names"], summary.get("task"), summary.get("thresholds")
        )
        if len(videos.not_finite):
            raise ValueError(f"{SCORES_FILE} has scores that are NaN or infinite, since its training diverged")
        is_trained = not (folder / ENSEMBLE_FILE).is_file()
        curve = validation_curve(folder / METRICS_FILE, videos.task.main_metric) if is_trained else ()
        tested = tested_checkpoint(folder)
        record = read_record(folder)
        num_views = int(summary["views_per_video"])
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{folder}: its results cannot be read ({reason}): test it again") from error
    return RunResult(
        folder=folder,
        settings=settings,
        videos=videos,
        num_views=num_views,
        curve=curve,
        train_seconds=record.train_seconds or None,
        improving=_improving(settings, curve, num_tested=len(videos)) if is_trained else None,
        checkpoint=checkpoint_in(folder, tested or BEST),
    )


def by_model(results: Sequence[RunResult]) -> tuple[dict[str, dict[int, list[RunResult]]], list[str]]:
    """The runs of each model by seed, folds in order, and a line for each seed that lacks a fold, which is left out.

    Raises:
        ConfigurationError: runs of one name differ in their settings, one run is there twice, or two models were
            tested on different videos.
    """
    grouped: dict[str, dict[int, list[RunResult]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        for other in (run for runs in grouped[result.name].values() for run in runs):
            _check_alike(other, result)
        grouped[result.name][result.seed].append(result)
    notes: list[str] = []
    whole: dict[str, dict[int, list[RunResult]]] = {}
    for name, seeds in grouped.items():
        for seed, runs in seeds.items():
            if len(runs) < runs[0].num_folds:
                notes.append(f"{name} seed {seed}: {len(runs)} of {runs[0].num_folds} folds are there: left out")
            else:
                whole.setdefault(name, {})[seed] = sorted(runs, key=lambda run: run.fold or 0)
    _check_same_test({name: next(iter(seeds.values())) for name, seeds in whole.items()})
    return {name: dict(sorted(seeds.items())) for name, seeds in whole.items()}, notes


def pooled(runs: Sequence[RunResult]) -> ScoredVideos:
    """The test videos of all folds of one seed; every video is tested in one of them."""
    videos = joined([run.videos for run in runs])
    if len(set(videos.paths)) != len(videos):
        raise ConfigurationError(f"{runs[0].folder} and its other folds tested the same video twice: train them again")
    return videos


def _check_alike(one: RunResult, other: RunResult) -> None:
    if (one.seed, one.fold) == (other.seed, other.fold):
        raise ConfigurationError(
            f"{one.folder} and {other.folder} are both {one.name} of seed {one.seed}"
            + (f", fold {one.fold}" if one.fold is not None else "")
            + ": move one of them away"
        )
    where = first_difference(one.settings, other.settings, free=FREE_WITHIN_A_MODEL)
    if where:
        raise ConfigurationError(
            f"{one.folder} and {other.folder} are both called {one.name}, but differ in {where}: they have no mean; "
            "move one away, or train it under another --name"
        )


def _check_same_test(runs_by_name: dict[str, list[RunResult]]) -> None:
    labels = {name: _labels(pooled(runs)) for name, runs in runs_by_name.items()}
    for other in list(labels)[1:]:
        first = next(iter(labels))
        if labels[other] != labels[first]:
            raise ConfigurationError(
                f"{first} and {other} were tested on different videos or labels ({len(labels[first])} and "
                f"{len(labels[other])} videos): they cannot be compared; move one of them away"
            )


def _labels(videos: ScoredVideos) -> dict[str, tuple[str, str]]:
    """The task and the label of each video, by name."""
    return {path: (videos.task_name, videos.label(number)) for number, path in enumerate(videos.paths)}


def _improving(settings: dict[str, object], curve: Sequence[tuple[int, float]], *, num_tested: int) -> bool | None:
    if not has_epochs(settings):
        return None
    trainer = section(settings, "trainer")
    max_epochs = trainer.get("max_epochs")
    last = curve[-1][0] + 1 if curve else 0
    if trainer.get("max_time") is not None and not (isinstance(max_epochs, int) and last >= max_epochs):
        return True
    try:
        num_validated = num_videos(section(settings, "data"), "val")
    except VidclsError:  # the data set is not at hand: the test split has about the same size
        num_validated = num_tested
    return still_improving([value for _, value in curve], max(1, num_validated))
