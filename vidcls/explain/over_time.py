"""A model and one clip -> how its score changes when parts of time are hidden, shuffled or reversed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidcls.models import VideoClassifier
from vidcls.types import MODEL_ROW

NUM_SHUFFLES = 8


@dataclass(frozen=True)
class TimeEffects:
    """Probabilities of one class.

    Args:
        whole: of the clip as it is.
        hidden: with one of T equal parts of time at a time hidden, in order: its frames, and the fields beside them,
            replaced by the nearest ones that are left.
        reversed: with the clip played backwards (flow turned round as well).
        shuffled: with the frames in random orders, one for each draw; none is the order of the clip.
    """

    whole: float
    hidden: tuple[float, ...]
    reversed: float
    shuffled: tuple[float, ...]


@torch.no_grad()
def time_effects(
    model: VideoClassifier, streams: Sequence[Tensor], target: int, *, num_parts: int | None = None, seed: int = 0
) -> TimeEffects:
    """What the order of time, and each part of it, does to the probability of a class.

    Hiding a frame by black would show the network what it has never seen; a neighbour in its place takes away what was
    new at that moment and nothing else. A model that cannot see order gives the same score for every order.

    Args:
        model: in evaluation mode.
        streams: normalised, one for each of ``model.streams``, ``(1, C, T, H, W)``.
        target: number of the class.
        num_parts: parts of time to hide; one for each frame (of the longest stream) where None.
        seed: of the shuffles.
    """
    length = max(stream.shape[2] for stream in streams)
    num_parts = min(num_parts or length, length)

    def score(orders: Sequence[Tensor], *, backwards: bool = False) -> float:
        moved = [stream[:, :, order] for stream, order in zip(streams, orders, strict=True)]
        if backwards:
            moved = [-values if s.kind == "flow" else values for s, values in zip(model.streams, moved, strict=True)]
        named = {stream.name: values for stream, values in zip(model.streams, moved, strict=True)}
        return float(model.scorer.clips(named)[MODEL_ROW][0, target])

    steps = [torch.arange(stream.shape[2]) for stream in streams]
    generator = torch.Generator().manual_seed(seed)
    ranks = [_rank(length, generator) for _ in range(NUM_SHUFFLES)]
    return TimeEffects(
        whole=score(steps),
        hidden=tuple(score([_without(step, part, num_parts) for step in steps]) for part in range(num_parts)),
        reversed=score([step.flip(0) for step in steps], backwards=True),
        shuffled=tuple(score([_shuffled(step, rank) for step in steps]) for rank in ranks),
    )


def _rank(length: int, generator: torch.Generator) -> Tensor:
    """Numbers whose order is a random one, and another than that of the clip."""
    rank = torch.rand(length, generator=generator)
    while length > 1 and bool((rank.diff() > 0).all()):
        rank = torch.rand(length, generator=generator)
    return rank


def _without(steps: Tensor, part: int, num_parts: int) -> Tensor:
    """The steps with those of one part replaced by the nearest that are left; a single step stays."""
    is_hidden = steps * num_parts // len(steps) == part
    left = steps[~is_hidden]
    if len(left) == 0:
        return steps
    nearest = (steps[:, None] - left[None]).abs().argmin(dim=1)
    return torch.where(is_hidden, left[nearest], steps)


def _shuffled(steps: Tensor, rank: Tensor) -> Tensor:
    """The steps in the order of the ranks at their times."""
    return steps[rank[steps * len(rank) // len(steps)].argsort()]
