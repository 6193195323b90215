"""The scores of a test: one row of numbers for every part and every fusion of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from vidcls.errors import DecodeError
from vidcls.tasks import Task
from vidcls.tasks.decision import Decision
from vidcls.types import ScoreRule, Target

CHUNK = 256  # videos that are measured at once: torchmetrics makes several tables of all classes for each of them


class UnreadVideo(NamedTuple):
    """A video of a test that could not be read.

    Args:
        index: its position in the list of test videos.
        target: of its label; None where it is not to be counted.
        reason: why, beginning with the file.
    """

    index: int  # type: ignore[assignment]  # hides the tuple's method of that name
    target: Target | None
    reason: str

    @property
    def counts(self) -> bool:
        """Whether it counts as wrong."""
        return self.target is not None


@dataclass(frozen=True)
class VideoScores:
    """What a test found, in the order of the list of test videos.

    Args:
        task: what the labels mean, and the names of the classes.
        indices: ``(N,)`` positions in the list of test videos.
        labels: targets of the videos, ``(N,)`` or ``(N, K)``.
        scores: ``(N, K)`` probabilities by row: ``model`` for the answer of the model, then its parts and fusions. A
            video that could not be read and counts has scores that are wrong.
        parts: the rows that are parts of the model.
        views_right: ``(N, V)`` whether the model's answer is right from 1, 2, ... V of its views; None where it was not
            counted.
        unread: videos that could not be read, in the order of the list.
        untempered: the scores by row as the network gives them, where a temperature changed them; else None.
    """

    task: Task
    indices: Tensor
    labels: Tensor
    scores: Mapping[str, Tensor]
    parts: tuple[str, ...] = ()
    views_right: Tensor | None = None
    unread: tuple[UnreadVideo, ...] = ()
    untempered: Mapping[str, Tensor] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""
        return self.task.class_names

    def hits_by_views(self) -> list[float]:
        """Share of right answers from 1, 2, ... V evenly spaced views; empty where it was not counted."""
        return [] if self.views_right is None else self.views_right.float().mean(dim=0).tolist()

    def table(self) -> dict[str, dict[str, float]]:
        """The metrics of every row."""
        return {row: self.task.measured(scores, self.labels, at_once=CHUNK) for row, scores in self.scores.items()}


def read_alone(found: VideoScores) -> VideoScores:
    """The same without the videos that could not be read: their scores were never a network's."""
    unread = torch.tensor([video.index for video in found.unread if video.counts], dtype=found.indices.dtype)
    is_read = ~torch.isin(found.indices, unread)

    def kept(by_row: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {row: scores[is_read] for row, scores in by_row.items()}

    return replace(
        found,
        indices=found.indices[is_read],
        labels=found.labels[is_read],
        scores=kept(found.scores),
        views_right=None,
        unread=(),
        untempered=None if found.untempered is None else kept(found.untempered),
    )


def decided(found: VideoScores, decision: Decision) -> VideoScores:
    """The scores of a test as ``decision`` changes them, beside what they were."""
    found = replace(found, task=decision.deciding(found.task))
    if not decision.is_tempered:
        return found
    changed = decision.applied({row: scores.numpy() for row, scores in found.scores.items()}, found.task)
    scores = {row: torch.from_numpy(values) for row, values in changed.items()}
    return replace(found, scores=scores, untempered=found.scores)


def joined(shards: Sequence[VideoScores], unread: Sequence[UnreadVideo] = ()) -> VideoScores:
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
    return VideoScores(
        task=first.task,
        indices=indices[order],
        labels=torch.cat([shard.labels for shard in shards])[order],
        scores={row: torch.cat([shard.scores[row] for shard in shards])[order] for row in first.scores},
        parts=first.parts,
        views_right=_joined_views(shards, order),
        unread=tuple(sorted(unread, key=lambda video: video.index)),
    )


def _all_wrong(videos: Sequence[UnreadVideo], like: VideoScores) -> VideoScores:
    indices = torch.tensor([video.index for video in videos])
    labels = collated_targets([video.target for video in videos if video.target is not None])
    scores = like.task.wrong_scores(labels)
    views = None if like.views_right is None else torch.zeros(len(videos), like.views_right.shape[1], dtype=torch.bool)
    return VideoScores(like.task, indices, labels, dict.fromkeys(like.scores, scores), like.parts, views)


def collated_targets(targets: Sequence[Target]) -> Tensor:
    """Targets of single videos -> those of a batch, as loaders make them."""
    collated: Tensor = default_collate(list(targets))
    return collated


def right_by_views(scores: Tensor, labels: Tensor, task: Task, rule: ScoreRule = "probabilities") -> Tensor:
    """Scores ``(B, V, K)`` of the views and their videos' labels -> whether the mean of v of them is right ``(B, V)``.

    Scores are probabilities, or logits where these are averaged. The v views are spread evenly over all V; one alone is
    the middle one.
    """
    V = scores.shape[1]
    right = []
    for num_views in range(1, V + 1):
        chosen = [(2 * k + 1) * V // (2 * num_views) for k in range(num_views)]
        mean = scores[:, chosen].mean(dim=1)  # (B, K)
        right.append(task.is_correct(task.probabilities(mean) if rule == "logits" else mean, labels))
    return torch.stack(right, dim=1)


def _joined_views(shards: Sequence[VideoScores], order: Tensor) -> Tensor | None:
    parts = [shard.views_right for shard in shards if shard.views_right is not None]
    return torch.cat(parts)[order] if len(parts) == len(shards) else None
