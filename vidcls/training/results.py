"""The scores of a test: one row of numbers for every part and every fusion of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vidcls.errors import DecodeError
from vidcls.training.metrics import score

MODEL_ROW = "model"
"""The row of scores that is the answer of the model; others are its parts and their fusions."""


class UnreadVideo(NamedTuple):
    """A video of a test that could not be read.

    Args:
        index: its position in the list of test videos.
        label: its class; -1 where it is not to be counted.
        reason: why, beginning with the file.
    """

    index: int  # type: ignore[assignment]  # hides the tuple's method of that name
    label: int
    reason: str

    @property
    def counts(self) -> bool:
        """Whether it counts as wrong."""
        return self.label >= 0


@dataclass(frozen=True)
class TestScores:
    """What a test found, in the order of the list of test videos.

    Args:
        class_names: K names.
        indices: ``(N,)`` positions in the list of test videos.
        labels: ``(N,)`` true classes.
        scores: ``(N, K)`` probabilities by row: ``model`` for the answer of the model, then its parts and fusions. A
            video that could not be read and counts has 0 for its class, and the same for each other.
        parts: the rows that are parts of the model.
        views_right: ``(N, V)`` whether the model's answer is right from 1, 2, ... V of its views; None where it was not
            counted.
        unread: videos that could not be read, in the order of the list.
    """

    __test__ = False

    class_names: tuple[str, ...]
    indices: Tensor
    labels: Tensor
    scores: Mapping[str, Tensor]
    parts: tuple[str, ...] = ()
    views_right: Tensor | None = None
    unread: tuple[UnreadVideo, ...] = ()

    def top1_by_views(self) -> list[float]:
        """Top-1 from 1, 2, ... V evenly spaced views; empty where it was not counted."""
        return [] if self.views_right is None else self.views_right.float().mean(dim=0).tolist()

    def table(self) -> dict[str, dict[str, float]]:
        """Top-1, top-5 and mean class accuracy of every row."""
        return {row: score(scores, self.labels) for row, scores in self.scores.items()}


def joined(shards: Sequence[TestScores], unread: Sequence[UnreadVideo] = ()) -> TestScores:
    """The scores of several processes as one, sorted by the list of videos; those not read that count are wrong.

    Raises:
        DecodeError: no video could be read.
    """
    if not shards:
        raise DecodeError(f"none of the test videos could be read, {len(unread)} in all; the first: {unread[0].reason}")
    first = shards[0]
    wrong = [video for video in unread if video.counts]
    if wrong:
        shards = [*shards, _all_wrong(wrong, first)]
    indices = torch.cat([shard.indices for shard in shards])
    order = indices.argsort()
    return TestScores(
        class_names=first.class_names,
        indices=indices[order],
        labels=torch.cat([shard.labels for shard in shards])[order],
        scores={row: torch.cat([shard.scores[row] for shard in shards])[order] for row in first.scores},
        parts=first.parts,
        views_right=_joined_views(shards, order),
        unread=tuple(sorted(unread)),
    )


def wrong_scores(labels: Tensor, num_classes: int) -> Tensor:
    """Scores ``(N, K)`` that are wrong by every count, for videos that have none: 0 for their class."""
    scores = torch.full((len(labels), num_classes), 1 / (num_classes - 1), device=labels.device)
    return scores.scatter(1, labels[:, None], 0.0)


def _all_wrong(videos: Sequence[UnreadVideo], like: TestScores) -> TestScores:
    indices, labels = (torch.tensor([getattr(video, name) for video in videos]) for name in ("index", "label"))
    scores = wrong_scores(labels, len(like.class_names))
    views = None if like.views_right is None else torch.zeros(len(videos), like.views_right.shape[1], dtype=torch.bool)
    return TestScores(like.class_names, indices, labels, dict.fromkeys(like.scores, scores), like.parts, views)


def right_by_views(scores: Tensor, labels: Tensor) -> Tensor:
    """Scores ``(B, V, K)`` of the views and labels ``(B,)`` -> whether the mean of v of them is right ``(B, V)``.

    Scores are probabilities, or logits where these are averaged: softmax leaves the best class the best. The v views
    are spread evenly over all V; one alone is the middle one.
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
