"""The validation scores of the members -> the weights with which they answer together best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.ensembles.members import Member, aligned, labels_by_path
from vidcls.errors import ConfigurationError
from vidcls.runs.results import ScoredVideos
from vidcls.tasks.ensemble import Ensemble, Rule

NUM_STEPS = 200


@dataclass(frozen=True)
class ValidationScores:
    """What weights are chosen from: videos that no member was trained on, and none of the test.

    Args:
        members: the same N videos as each of the M members scored them.
    """

    members: tuple[ScoredVideos, ...]

    @classmethod
    def of(cls, members: Sequence[Member]) -> ValidationScores:
        """The videos that all members validated on.

        Raises:
            ConfigurationError: a member has no validation scores, or they have no video in common.
        """
        found = [member.validated() for member in members]
        first = found[0]
        common = set.intersection(*(set(videos.paths) for videos in found))
        tested = set(members[0].run.videos.paths)
        paths = [path for path in first.paths if path in common and path not in tested]
        if not paths:
            raise ConfigurationError(
                "there is no video that all members validated on: train them with the same validation split"
            )
        labels = labels_by_path(first)
        for member, videos in zip(members, found, strict=True):
            theirs = labels_by_path(videos)
            odd = [path for path in paths if theirs[path] != labels[path]]
            if odd:
                raise ConfigurationError(
                    f"{member.run.folder}: {odd[0]} had another label in its validation than in that of "
                    f"{members[0].run.folder}: train them on one list"
                )
        return cls(tuple(aligned(videos, first.class_names, paths) for videos in found))

    def __len__(self) -> int:
        return len(self.members[0])


def combined(ensemble: Ensemble, members: Sequence[ScoredVideos]) -> ScoredVideos:
    """The answers of an ensemble from those of its members, which have the same videos and classes in one order."""
    return replace(
        members[0],
        scores=ensemble.combined(np.stack([videos.scores for videos in members])),
        thresholds=ensemble.task.thresholds,
    )


@dataclass(frozen=True)
class ChosenWeights:
    """Weights, and what they gain.

    Args:
        weights: ``(M,)``, which add up to 1.
        loss: of the validation with them, the mean over its videos.
        equal_loss: with equal weights.
        num_videos: of the validation.
    """

    weights: tuple[float, ...]
    loss: float
    equal_loss: float
    num_videos: int


def choose_weights(validation: ValidationScores, rule: Rule) -> ChosenWeights:
    """The weights of at least 0 with the least validation loss; for either rule it has no other minimum.

    Args:
        validation: what they are chosen from.
        rule: by which the members answer together.
    """
    first = validation.members[0]
    task = first.task
    logits = torch.from_numpy(np.stack([task.array_logits(videos.scores) for videos in validation.members]))  # (M,N,K)
    targets = torch.from_numpy(first.labels)
    combine = task.mean_of_probabilities if rule == "mean" else task.product_of_probabilities

    def loss_of(weights: Tensor) -> Tensor:
        return task.loss_by_video(combine(logits, weights), targets).mean()

    free = torch.zeros(len(logits), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([free], max_iter=NUM_STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = loss_of(free.softmax(0))
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    weights: NDArray[np.float64] = free.detach().softmax(0).numpy()
    with torch.no_grad():
        loss, equal = (float(loss_of(torch.from_numpy(w))) for w in (weights, np.full_like(weights, 1 / len(weights))))
    return ChosenWeights(tuple(weights.tolist()), loss, equal, len(validation))
