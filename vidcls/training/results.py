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
        views_right: ``(N, V)`` whether the model's answer is right from 1, 2, ... V of its views; None where it was not
            counted.
    """

    __test__ = False

    class_names: tuple[str, ...]
    indices: Tensor
    labels: Tensor
    scores: Mapping[str, Tensor]
    parts: tuple[str, ...] = ()
    views_right: Tensor | None = None

    def top1_by_views(self) -> list[float]:
        """Top-1 from 1, 2, ... V evenly spaced views; empty where it was not counted."""
        return [] if self.views_right is None else self.views_right.float().mean(dim=0).tolist()

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
        views_right=_joined_views(shards, order),
    )


def right_by_views(scores: Tensor, labels: Tensor) -> Tensor:
    """Scores ``(B, V, K)`` of the views and labels ``(B,)`` -> whether the mean of v of them is right ``(B, V)``.

    The v views are spread evenly over all V; one alone is the middle one.
    """
    V = scores.shape[1]
    right = []
    for num_views in range(1, V + 1):
        chosen = [(2 * k + 1) * V // (2 * num_views) for k in range(num_views)]
        right.append(scores[:, chosen].mean(dim=1).argmax(dim=-1) == labels)
    return torch.stack(right, dim=1)


def _joined_views(shards: Sequence[TestScores], order: Tensor) -> Tensor | None:
    parts = [shard.views_right for shard in shards if shard.views_right is not None]
    return torch.cat(parts)[order] if len(parts) == len(shards) else None
