"""The scores of every video of a test -> what they say."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import label_text
from vidcls.tasks import DEFAULT_TASK, Task, task_of
from vidcls.tasks.task import Measure
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    from vidcls.types import Target


@dataclass(frozen=True)
class ScoredVideos:
    """N videos of a test with their scores for K classes.

    Args:
        class_names: K names, in the order of the scores.
        paths: relative to the data set's root; that of a part of a video ends in its ``fragment``.
        labels: targets of the videos, ``(N,)`` or ``(N, K)``.
        groups: persons, sessions or sources ``(N,)``; empty text for a video that has none.
        scores: probabilities ``(N, K)``.
        task_name: what the labels mean, by the name of the task.
        thresholds: from which probability on a class is predicted, ``(K,)`` or ``(N, K)``, where the task has any.
        parts: from when to when of its video each one lasts ``(N,)``, None for a whole video; empty where all are.
    """

    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: NDArray[np.generic]
    groups: tuple[str, ...]
    scores: NDArray[np.floating]
    task_name: str = DEFAULT_TASK
    thresholds: NDArray[np.float64] | None = None
    parts: tuple[VideoPart | None, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def task(self) -> Task:
        """What the labels mean."""
        return task_of(self.task_name, self.class_names).with_thresholds(self.thresholds)

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

    def part(self, number: int) -> VideoPart | None:
        """From when to when of its video one of them lasts; None for the whole."""
        return self.parts[number] if self.parts else None

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

    def at(self, places: NDArray[np.integer | np.bool_]) -> ScoredVideos:
        """Some of the videos, in the order of these positions ``(M,)``, or where a mask ``(N,)`` says so."""
        numbers = np.arange(len(self))[places].tolist()
        thresholds = self.thresholds
        return replace(
            self,
            paths=tuple(self.paths[k] for k in numbers),
            labels=self.labels[numbers],
            groups=tuple(self.groups[k] for k in numbers),
            scores=self.scores[numbers],
            thresholds=thresholds[numbers] if thresholds is not None and thresholds.ndim == 2 else thresholds,
            parts=tuple(self.parts[k] for k in numbers) if self.parts else (),
        )

    def without(self, paths: Container[str]) -> ScoredVideos:
        """All but these videos."""
        kept = np.array([path not in paths for path in self.paths], dtype=bool)
        return self if kept.all() else self.at(kept)

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
    thresholds: list[NDArray[np.float64]] = []  # those of each test for its videos
    for test in tests:
        numbers = np.array([number_of[name] for name in test.class_names])
        labels += [task.target(test.task.classes_of(label)) for label in test.labels]
        scores.append(np.zeros((len(test), len(class_names))))
        scores[-1][:, numbers] = test.scores
        if test.task.thresholds is not None:
            thresholds.append(np.ones((len(test), len(class_names))))
            thresholds[-1][:, numbers] = test.task.thresholds
    return ScoredVideos(
        class_names,
        tuple(path for test in tests for path in test.paths),
        collated(labels),
        tuple(group for test in tests for group in test.groups),
        np.concatenate(scores),
        task.name,
        np.concatenate(thresholds) if thresholds else None,
        tuple(test.part(k) for test in tests for k in range(len(test))) if any(test.parts for test in tests) else (),
    )


def collated(labels: Sequence[Target]) -> NDArray[np.generic]:
    """Targets of single videos -> ``(N,)`` or ``(N, K)``."""
    return np.array([np.asarray(label) for label in labels])
