"""The folder of a run -> everything that its files say, in one object."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import ConfigurationError
from vidcls.settings_file import parse_json, read_json

TEST_FILE = "test.json"
SCORES_FILE = "test.csv"
CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.csv"
RUN_FILE = "run.json"
SCORE_PREFIX = "p_"


@dataclass(frozen=True)
class Answers:
    """What a test found for N videos.

    Args:
        paths: relative to the data set's root.
        labels: numbers of the classes ``(N,)``.
        groups: persons, sessions or sources ``(N,)``; where a video has none, it is a group of its own.
        scores: probabilities ``(N, K)``.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: tuple[str, ...]
    scores: NDArray[np.float64]

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Numbers of the predicted classes ``(N,)``."""
        return self.scores.argmax(axis=1)

    @property
    def num_groups(self) -> int:
        """Different groups."""
        return len(set(self.groups))


@dataclass(frozen=True)
class RunFolder:
    """A run that was trained and tested.

    Args:
        folder: where it lies.
        class_names: K names in the order of the scores.
        answers: of the model.
        test: what ``test.json`` says.
        config_text: ``config.yaml``; empty where there is none.
        curves: ``(step, value)`` pairs by name, from ``metrics.csv``.
        trainings: what ``run.json`` says of each start; empty where there is none.
    """

    folder: Path
    class_names: tuple[str, ...]
    answers: Answers
    test: Mapping[str, object]
    config_text: str = ""
    curves: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)
    trainings: tuple[Mapping[str, object], ...] = ()

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that was tested, where it is still there."""
        named = self.test.get("checkpoint")
        found = [] if not isinstance(named, str) else [Path(named), self.folder / "checkpoints" / Path(named).name]
        return next((path for path in found if path.is_file()), None)


def read_run(folder: Path) -> RunFolder:
    """Read the files of a run.

    Raises:
        ConfigurationError: it is no run, was not tested, or a file of it is damaged.
    """
    missing = [name for name in (TEST_FILE, SCORES_FILE) if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"{folder}: has no {missing[0]}: give the folder of a run that was tested (vidcls test --run {folder} "
            "--ckpt_path best)"
        )
    try:
        test = read_json(folder / TEST_FILE)
        class_names = tuple(test["class_names"])
        answers = _answers(folder / SCORES_FILE, class_names)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigurationError(
            f"{folder}: its {TEST_FILE} or {SCORES_FILE} is damaged ({' '.join(str(error).split())}): test it again"
        ) from error
    return RunFolder(
        folder,
        class_names,
        answers,
        test,
        config_text=_text(folder / CONFIG_FILE),
        curves=_curves(folder / METRICS_FILE),
        trainings=_trainings(folder / RUN_FILE),
    )


def _answers(path: Path, class_names: tuple[str, ...]) -> Answers:
    """The rows of a ``test.csv``, which with thousands of classes is larger as text than memory: one at a time."""
    number_of = {name: number for number, name in enumerate(class_names)}
    paths: list[str] = []
    labels: list[int] = []
    groups: list[str] = []
    scores = array("d")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        column_of = {name: number for number, name in enumerate(next(rows, []))}
        named = [column_of[name] for name in ("path", "label", "group")]
        scored = [column_of[SCORE_PREFIX + name] for name in class_names]
        for row in filter(None, rows):
            if len(row) < len(column_of):
                raise ValueError(f"line {rows.line_num} has {len(row)} of {len(column_of)} cells")
            name, label, group = (row[column] for column in named)
            paths.append(name)
            labels.append(number_of[label])
            groups.append(group or name)
            scores.extend([float(row[column]) for column in scored])
    if not paths:
        raise ValueError("no video")
    table = np.frombuffer(scores, dtype=np.float64).reshape(len(paths), len(class_names))
    spoilt = ~np.isfinite(table).all(axis=1)
    if spoilt.any():
        raise ConfigurationError(
            f"{path}: the scores of {spoilt.sum()} of {len(paths)} videos are NaN or infinite (the first is "
            f"{paths[int(spoilt.argmax())]}): the training diverged; train again with a smaller learning rate, "
            "and test that"
        )
    return Answers(tuple(paths), np.array(labels), tuple(groups), table)


def _curves(path: Path) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    if not path.is_file():
        return curves
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value and row.get("step") and (name or "").startswith(("train/", "val/")):
                        curves.setdefault(name, []).append((float(row["step"]), float(value)))
    except (ValueError, TypeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: is damaged ({error}): delete it, and the page has no curves") from error
    return curves


def _trainings(path: Path) -> tuple[Mapping[str, object], ...]:
    try:
        found = parse_json(_text(path) or "{}").get("trainings", [])
    except (ValueError, AttributeError):
        return ()
    return tuple(training for training in found if isinstance(training, dict))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
