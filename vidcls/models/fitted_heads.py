"""Heads that were fitted outside of the training loop -> the one step that measures them and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from vidcls.errors import ConfigurationError
from vidcls.types import Batch


@dataclass(frozen=True)
class FittedHeads:
    """What is known of heads that were fitted to features, beside the heads themselves.

    Args:
        probabilities: of the videos that they were fitted to ``(N, K)``, each by heads that had not seen it.
        targets: of these videos ``(N,)``.
        skipped: names of videos that were left out.
    """

    probabilities: Tensor
    targets: Tensor
    skipped: Sequence[str] = ()


class OneBatch:
    """The videos that heads were fitted to, without their clips; a loader of one batch.

    Args:
        fitted: gives the heads' facts, or None before they are fitted; the length of a loader is asked for earlier.
    """

    def __init__(self, fitted: Callable[[], FittedHeads | None]) -> None:
        self._fitted = fitted

    def __len__(self) -> int:
        """The number of batches."""
        return 1

    def __iter__(self) -> Iterator[Batch]:
        """The batch. ConfigurationError where no heads have been fitted."""
        fitted = self._fitted()
        if fitted is None:
            raise ConfigurationError("the heads of this probe have not been fitted: train it with callbacks.ProbeFit")
        batch: Batch = {"streams": {}, "label": fitted.targets, "index": torch.arange(len(fitted.targets))}
        yield {**batch, "skipped": [*fitted.skipped]} if fitted.skipped else batch


class FixedWeights(Optimizer):
    """Counts a step and changes nothing, for weights that were computed in another way."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        super().__init__(parameters, {"lr": 0.0})

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Compute the loss alone."""
        return None if closure is None else closure()
