"""Probabilities and labels of videos that may have several -> mAP, F1 and exact match, counted while a network runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MultilabelStatScores

from vidcls.tasks.average_precision import average_precisions, macro

Predict = Callable[[Tensor], Tensor]
"""Probabilities ``(B, K)`` -> which classes are predicted, ``(B, K)`` of 0 and 1."""


class MeanAveragePrecision(Metric):
    """The mean over the classes that occur of their average precision (mAP).

    Scores are kept until it is computed, some 5 bytes for each video and class. torchmetrics' own gives a class without
    a video a value all the same, and cannot gather from processes of which one has seen no video.

    Args:
        num_classes: K.
        sync_on_compute: whether all processes are asked.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    scores: list[Tensor]
    targets: list[Tensor]

    def __init__(self, num_classes: int, *, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self.num_classes = num_classes
        self.add_state("scores", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Keep probabilities and targets, each ``(B, K)``."""
        self.scores.append(preds.detach().float())
        self.targets.append(target.detach().to(torch.uint8))

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        scores, targets = (_joined(state) for state in (self.scores, self.targets))
        if scores is None or targets is None:
            return torch.zeros((), device=self.device)
        by_class = average_precisions(scores.cpu().numpy(), targets.cpu().numpy())(None)
        return torch.tensor(macro(by_class), dtype=torch.float32, device=self.device)

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        """Gather; a process without a video hands over none of K classes."""
        if not self.scores:
            self.scores = [torch.zeros(0, self.num_classes, device=self.device)]
            self.targets = [torch.zeros(0, self.num_classes, dtype=torch.uint8, device=self.device)]
        super()._sync_dist(*args, **kwargs)


class _Decided(MultilabelStatScores):
    """Counts of what was predicted by class.

    Args:
        num_classes: K.
        predict: see `Predict`.
        sync_on_compute: whether all processes are asked.
    """

    is_differentiable = False
    higher_is_better = True

    def __init__(self, num_classes: int, predict: Predict, *, sync_on_compute: bool = True) -> None:
        super().__init__(num_classes, average=None, validate_args=False, sync_on_compute=sync_on_compute)
        self._predict = predict

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count probabilities and targets, each ``(B, K)``."""
        super().update(self._predict(preds), target.long())

    def plot(self, *_args: object, **_kwargs: object) -> None:
        """Not drawn: it is one number."""
        raise NotImplementedError("F1 is one number; draw the precision over the recall instead")


class MacroF1(_Decided):
    """The mean over the classes that occur of their F1; torchmetrics counts those that do not occur as 0."""

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        tp, fp, _, fn = self._final_state()
        occurs = tp + fn > 0
        f1 = 2 * tp / (2 * tp + fp + fn).clamp(min=1)  # (K,)
        return (f1 * occurs).sum() / occurs.sum().clamp(min=1)


class MicroF1(_Decided):
    """F1 over all pairs of a video and a class."""

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        tp, fp, _, fn = (count.sum() for count in self._final_state())
        return 2 * tp / (2 * tp + fp + fn).clamp(min=1)


class ExactMatch(Metric):
    """The share of the videos of which exactly the classes that they have are predicted (subset accuracy).

    Args:
        predict: see `Predict`.
        sync_on_compute: whether all processes are asked.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    correct: Tensor
    total: Tensor

    def __init__(self, predict: Predict, *, sync_on_compute: bool = True) -> None:
        super().__init__(sync_on_compute=sync_on_compute)
        self._predict = predict
        self.add_state("correct", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count probabilities and targets, each ``(B, K)``."""
        self.correct += (self._predict(preds) == target).all(dim=1).sum()
        self.total += len(target)

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        return self.correct / self.total.clamp(min=1)


def multilabel_metrics(num_classes: int, prefix: str, predict: Predict, *, over_processes: bool) -> MetricCollection:
    """``map``, ``f1_macro``, ``f1_micro`` and ``exact_match``, each named with ``prefix``; they take probabilities."""
    metrics: dict[str, Metric | MetricCollection] = {
        "map": MeanAveragePrecision(num_classes, sync_on_compute=over_processes),
        "f1_macro": MacroF1(num_classes, predict, sync_on_compute=over_processes),
        "f1_micro": MicroF1(num_classes, predict, sync_on_compute=over_processes),
        "exact_match": ExactMatch(predict, sync_on_compute=over_processes),
    }
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


def _joined(state: list[Tensor] | Tensor) -> Tensor | None:
    if isinstance(state, Tensor):  # it was gathered
        return state
    return torch.cat(state) if state else None
