"""The scores of every video of a test -> what they say, and ``test.csv``, written and read again."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import label_text
from vidcls.files import write_csv
from vidcls.tasks import DEFAULT_TASK, Task, task_of
from vidcls.tasks.task import Measure

if TYPE_CHECKING:
    from vidcls.types import Target

SCORE_PREFIX = "p_"
UNREAD = "(unread)"
"""The prediction in the file for a video that could not be read; its scores are wrong by every count."""


@dataclass(frozen=True)
class ScoredVideos:
    """N videos of a test with their scores for K classes.

    Args:
        class_names: K names, in the order of the scores.
        paths: relative to the data set's root.
        labels: targets of the videos, ``(N,)`` or ``(N, K)``.
        groups: persons, sessions or sources ``(N,)``; empty text for a video that has none.
        scores: probabilities ``(N, K)``.
        task_name: what the labels mean, by the name of the task.
    """

    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.generic]
    groups: tuple[str, ...]
    scores: NDArray[np.floating]
    task_name: str = DEFAULT_TASK

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def task(self) -> Task:
        """What the labels mean."""
        return task_of(self.task_name, self.class_names)

    @cached_property
    def predictions(self) -> NDArray[np.generic]:
        """What the task predicts from the scores, in the form of the labels."""
        return self.task.predicted(self.scores)

    @cached_property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether each was recognised ``(N,)``."""
        return self.task.is_correct(self.scores, self.labels).astype(np.bool_)

    @cached_property
    def confidence(self) -> NDArray[np.floating]:
        """How probable each prediction is ``(N,)``."""
        return self.task.confidence(self.scores)

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        """The metrics by key, as functions of how often each video counts."""
        return self.task.measures(self.scores, self.labels)

    def label(self, number: int) -> str:
        """The label of one video as text."""
        return label_text(self.task.classes_of(self.labels[number]))

    def prediction(self, number: int) -> str:
        """The prediction for one video as text."""
        return label_text(self.task.classes_of(self.predictions[number]))

    @property
    def independent_groups(self) -> tuple[str, ...]:
        """The group of each video ``(N,)``, where a video without one is a group of its own."""
        return tuple(group or path for group, path in zip(self.groups, self.paths, strict=True))

    @property
    def num_groups(self) -> int | None:
        """How many groups the videos come from; None where no group is known."""
        return len(set(self.independent_groups)) if any(self.groups) else None

    @property
    def not_finite(self) -> NDArray[np.int64]:
        """Positions of videos with scores that are NaN or infinite: their training diverged."""
        return np.flatnonzero(~np.isfinite(self.scores).all(axis=1))

    def measured(self, key: str) -> float:
        """The value of one metric, such as ``top1``."""
        return self.measures[key](None)

    def confusion(self) -> NDArray[np.int64] | None:
        """Counts ``(K, K)``; rows are true classes, columns are predictions. None where a video may have several."""
        return self.task.confusion(self.scores, self.labels)

    def most_confident_errors(self, most: int | None = None) -> list[int]:
        """Positions of videos that were taken for another class, the most confident first."""
        wrong = np.flatnonzero(~self.is_correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:most].tolist()

    def least_confident_correct(self, most: int | None = None) -> list[int]:
        """Positions of videos that were recognised, the least confident first."""
        correct = np.flatnonzero(self.is_correct)
        return correct[np.argsort(self.confidence[correct], kind="stable")][:most].tolist()


def joined(tests: Sequence[ScoredVideos]) -> ScoredVideos:
    """The videos of several tests of one task as one, such as those of all folds; classes are matched by name."""
    class_names = tuple(dict.fromkeys(name for test in tests for name in test.class_names))
    number_of = {name: number for number, name in enumerate(class_names)}
    task = task_of(tests[0].task_name, class_names)
    labels: list[Target] = []
    scores: list[NDArray[np.floating]] = []
    for test in tests:
        numbers = np.array([number_of[name] for name in test.class_names])
        labels += [task.target(test.task.classes_of(label)) for label in test.labels]
        scores.append(np.zeros((len(test), len(class_names))))
        scores[-1][:, numbers] = test.scores
    return ScoredVideos(
        class_names,
        tuple(path for test in tests for path in test.paths),
        _collated(labels),
        tuple(group for test in tests for group in test.groups),
        np.concatenate(scores),
        task.name,
    )


def write_scores(path: Path, videos: ScoredVideos, *, unread: Container[str] = ()) -> None:
    """Write a line for each video, ``path,label,group,prediction,p_<class>...``, with the probabilities in full.

    Args:
        path: the file, such as ``test.csv``.
        videos: to write.
        unread: paths of videos that could not be read.
    """
    write_csv(path, score_rows(videos, unread=unread))


def score_rows(videos: ScoredVideos, *, unread: Container[str] = ()) -> Iterator[list[str]]:
    """The header and the lines of the file one at a time: those of thousands of classes are larger than memory."""
    yield ["path", "label", "group", "prediction", *(SCORE_PREFIX + name for name in videos.class_names)]
    for number, (path, group, row) in enumerate(zip(videos.paths, videos.groups, videos.scores, strict=True)):
        prediction = UNREAD if path in unread else videos.prediction(number)
        yield [path, videos.label(number), group, prediction, *(f"{p:.9g}" for p in row.tolist())]


def read_scores(path: Path, class_names: Sequence[str], task_name: str | None = None) -> ScoredVideos:
    """What :func:`write_scores` wrote.

    Args:
        path: the file.
        class_names: K names, in the order that the scores are to have.
        task_name: what the labels mean; the default task where None.

    Raises:
        OSError: it cannot be read.
        ConfigurationError: there is no such task.
        KeyError: a column is missing, or a label is none of the classes.
        ValueError, csv.Error: it is damaged, or has no video.
    """
    task = task_of(task_name, class_names)
    paths: list[str] = []
    labels: list[Target] = []
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
            labels.append(task.target(task.classes_in(label)))
            groups.append(group)
            scores.extend([float(row[column]) for column in scored])
    if not paths:
        raise ValueError("no video")
    table = np.frombuffer(scores, dtype=np.float64).reshape(len(paths), len(class_names))
    return ScoredVideos(tuple(class_names), tuple(paths), _collated(labels), tuple(groups), table, task.name)


def _collated(labels: Sequence[Target]) -> NDArray[np.generic]:
    """Targets of single videos -> ``(N,)`` or ``(N, K)``."""
    return np.array([np.asarray(label) for label in labels])
