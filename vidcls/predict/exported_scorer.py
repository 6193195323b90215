"""What a file of ``vidcls export`` says of its model -> what scores videos with its graph, whatever runs that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.model_file import ModelFacts
from vidcls.predict.clip_scorer import Clip, ClipScorer, ReadsClips, Scores
from vidcls.tasks import task_of

Streams = Mapping[str, NDArray[Any]]
"""Views by stream ``(V, C, T, H, W)``, as loaded."""


class ExportedScorer(ClipScorer[Clip]):
    """The part of a predictor of an exported file that is about its scores.

    Args:
        path: the file.
        facts: what it says of its model.
        reader: reads clips by its settings.
        batch_views: views (clips x crops of a video) that go through the network at once.

    Raises:
        CheckpointError: its task is not known.
    """

    def __init__(self, path: Path, facts: ModelFacts, reader: ReadsClips[Clip], *, batch_views: int) -> None:
        if batch_views < 1:
            raise ValueError(f"batch_views is {batch_views}; it must be 1 or more")
        try:
            task = task_of(facts.task, facts.class_names)
        except ConfigurationError as error:
            raise CheckpointError(f"{path}: {error}; or update vidcls") from error
        super().__init__(path, task, facts.input, facts.decision, reader)
        self.facts = facts
        """What the file says of its model."""
        self.batch_views = batch_views

    @abstractmethod
    def by_view(self, streams: Streams) -> dict[str, NDArray[np.float32]]:
        """What is averaged over the views of a video, ``(V, K)`` by row, of views ``(V, C, T, H, W)`` as loaded."""

    @abstractmethod
    def _batches(self, clips: Sequence[Clip]) -> Iterator[Streams]:
        """The views of a video, up to ``batch_views`` at a time."""

    def averaged(self, by_view: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Probabilities ``(K,)`` by row, of the views of one video."""
        means = {row: scores.mean(axis=0) for row, scores in by_view.items()}
        if self.facts.score == "logits":
            means = {row: self.task.array_probabilities(mean) for row, mean in means.items()}
        return means

    def _scores_of(self, clips: Sequence[Clip]) -> Scores:
        found = [self.by_view(streams) for streams in self._batches(clips)]
        means = self.averaged({row: np.concatenate([one[row] for one in found]) for row in self.facts.rows})
        return {row: tuple(mean.tolist()) for row, mean in means.items()}
