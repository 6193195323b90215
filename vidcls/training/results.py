"""The scores of a test: one row of numbers for every part and every fusion of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidcls.training.metrics import score


@dataclass(frozen=True)
class TestScores:
    """What a test found, in the order of the list of test videos.

    Args:
        class_names: K names.
        indices: ``(N,)`` positions in the list of test videos.
        labels: ``(N,)`` true classes.
        scores: ``(N, K)`` probabilities by row: ``model`` for the answer of the model, then its parts and fusions.
        parts: the rows that are parts of the model.
    """

    __test__ = False

    class_names: tuple[str, ...]
    indices: Tensor
    labels: Tensor
    scores: Mapping[str, Tensor]
    parts: tuple[str, ...] = ()

    def table(self) -> dict[str, dict[str, float]]:
        """Top-1, top-5 and mean class accuracy of every row."""
        return {row: score(scores, self.labels) for row, scores in self.scores.items()}


def joined(shards: Sequence[TestScores]) -> TestScores:
    """The scores of several processes as one, sorted by the list of videos."""
    first = shards[0]
    indices = torch.cat([shard.indices for shard in shards])
    order = indices.argsort()
    return TestScores(
        class_names=first.class_names,
        indices=indices[order],
        labels=torch.cat([shard.labels for shard in shards])[order],
        scores={row: torch.cat([shard.scores[row] for shard in shards])[order] for row in first.scores},
        parts=first.parts,
    )
