"""The scores of every video of a test -> what they say, and ``test.csv``, written and read again."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.files import write_csv
from vidcls.runs.accuracies import accuracy, mean_class_accuracy
from vidcls.runs.confusions import confusion_counts

SCORE_PREFIX = "p_"
UNREAD = "(unread)"
"""The prediction in the file for a video that could not be read; its scores are wrong by every count."""


@dataclass(frozen=True)
class ScoredVideos:
    """N videos of a test with their scores for K classes.

    Args:
        class_names: K names, in the order of the scores.
        paths: relative to the data set's root.
        labels: numbers of the classes ``(N,)``.
        groups: persons, sessions or sources ``(N,)``; empty text for a video that has none.
        scores: probabilities ``(N, K)``.
    """

    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: tuple[str, ...]
    scores: NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """Numbers of the predicted classes ``(N,)``; the first of equally likely ones."""
        return self.scores.argmax(axis=1)

    @cached_property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether each was recognised ``(N,)``."""
        return self.predictions == self.labels

    @cached_property
    def confidence(self) -> NDArray[np.floating]:
        """Probability of the predicted class ``(N,)``."""
        return self.scores.max(axis=1)

    def is_among_best(self, k: int) -> NDArray[np.bool_]:
        """Whether fewer than k classes are likelier than the label of each ``(N,)``."""
        of_label = self.scores[np.arange(len(self)), self.labels][:, None]  # (N, 1)
        return (self.scores > of_label).sum(axis=1) < k

    @property
    def independent_groups(self) -> tuple[str, ...]:
        """The group of each video ``(N,)``, where a video without one is a group of its own."""
        return tuple(group or path for group, path in zip(self.groups, self.paths, strict=True))

    @property
    def not_finite(self) -> NDArray[np.int64]:
        """Positions of videos with scores that are NaN or infinite: their training diverged."""
        return np.flatnonzero(~np.isfinite(self.scores).all(axis=1))

    def top1(self) -> float:
        """Share of the videos that were recognised."""
        return accuracy(self.is_correct)

    def mean_class_accuracy(self) -> float:
        """The mean over the classes that occur of the share of their videos that were recognised."""
        return mean_class_accuracy(self.labels, self.is_correct)

    def confusion(self) -> NDArray[np.int64]:
        """Counts ``(K, K)``; rows are true classes, columns are predictions."""
        return confusion_counts(self.labels, self.predictions, len(self.class_names))

    def most_confident_errors(self, most: int | None = None) -> list[int]:
        """Positions of videos that were taken for another class, the most confident first."""
        wrong = np.flatnonzero(~self.is_correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:most].tolist()

    def least_confident_correct(self, most: int | None = None) -> list[int]:
        """Positions of videos that were recognised, the least confident first."""
        correct = np.flatnonzero(self.is_correct)
        return correct[np.argsort(self.confidence[correct], kind="stable")][:most].tolist()


def joined(tests: Sequence[ScoredVideos]) -> ScoredVideos:
    """The videos of several tests as one, such as those of all folds; classes are matched by name."""
    class_names = tuple(dict.fromkeys(name for test in tests for name in test.class_names))
    number_of = {name: number for number, name in enumerate(class_names)}
    labels: list[NDArray[np.int64]] = []
    scores: list[NDArray[np.floating]] = []
    for test in tests:
        numbers = np.array([number_of[name] for name in test.class_names])
        labels.append(numbers[test.labels])
        scores.append(np.zeros((len(test), len(class_names))))
        scores[-1][:, numbers] = test.scores
    return ScoredVideos(
        class_names,
        tuple(path for test in tests for path in test.paths),
        np.concatenate(labels),
        tuple(group for test in tests for group in test.groups),
        np.concatenate(scores),
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
    names = videos.class_names
    yield ["path", "label", "group", "prediction", *(SCORE_PREFIX + name for name in names)]
    for path, label, group, best, row in zip(
        videos.paths, videos.labels, videos.groups, videos.predictions, videos.scores, strict=True
    ):
        prediction = UNREAD if path in unread else names[best]
        yield [path, names[label], group, prediction, *(f"{p:.9g}" for p in row.tolist())]


def read_scores(path: Path, class_names: Sequence[str]) -> ScoredVideos:
    """What :func:`write_scores` wrote.

    Args:
        path: the file.
        class_names: K names, in the order that the scores are to have.

    Raises:
        OSError: it cannot be read.
        KeyError: a column is missing, or a label is none of the classes.
        ValueError, csv.Error: it is damaged, or has no video.
    """
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
            groups.append(group)
            scores.extend([float(row[column]) for column in scored])
    if not paths:
        raise ValueError("no video")
    table = np.frombuffer(scores, dtype=np.float64).reshape(len(paths), len(class_names))
    return ScoredVideos(tuple(class_names), tuple(paths), np.array(labels), tuple(groups), table)
