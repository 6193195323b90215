"""Scores and numbers of classes -> top-1, top-5 and mean class accuracy, counted while a network runs."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix


class MeanClassAccuracy(MulticlassConfusionMatrix):
    """The mean over classes of the share of its videos that were recognised (balanced accuracy).

    Classes without a video stay out of the mean; torchmetrics' macro average would count them as 0 once predicted.
    """

    is_differentiable = False
    higher_is_better = True

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count ``(B, K)`` scores and ``(B,)`` labels.

        torchmetrics' own method asks the GPU for the largest pair of classes and so waits for it, and makes a table of
        ``(B, K*K)`` where deterministic algorithms are asked for.
        """
        add_confusions(self.confmat, preds.argmax(dim=1), target)

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        return mean_recall(super().compute())

    def plot(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        """Not drawn: it is one number."""
        raise NotImplementedError("mean class accuracy is one number; draw the confusion matrix instead")


def add_confusions(counts: Tensor, predictions: Tensor, labels: Tensor) -> None:
    """Add predictions and labels, each ``(N,)``, to counts ``(K, K)`` in place."""
    cells = labels * len(counts) + predictions
    counts.view(-1).index_add_(0, cells, torch.ones_like(cells))


def mean_recall(confusion: Tensor) -> Tensor:
    """Mean recall of a confusion matrix ``(K, K)`` (rows are true classes) over the classes that occur."""
    support = confusion.sum(dim=1)
    recall = confusion.diag().float() / support.clamp(min=1)
    return recall[support > 0].mean() if bool((support > 0).any()) else torch.zeros((), device=confusion.device)


def classification_metrics(
    num_classes: int, prefix: str, *, has_top5: bool, over_processes: bool = True
) -> MetricCollection:
    """``top1``, ``top5`` where asked for, and ``mean_class_accuracy``, each named with ``prefix``.

    Args:
        num_classes: K.
        prefix: of the names.
        has_top5: whether ``top5`` is counted.
        over_processes: whether all processes are asked for their counts when the metrics are computed.
    """

    # Labels come from the data set's list of classes; to validate them in each step would wait for the GPU.
    def accuracy(top_k: int) -> MulticlassAccuracy:
        return MulticlassAccuracy(
            num_classes, top_k=top_k, average="micro", validate_args=False, sync_on_compute=over_processes
        )

    metrics: dict[str, Metric | MetricCollection] = {
        "top1": accuracy(1),
        "mean_class_accuracy": MeanClassAccuracy(num_classes, validate_args=False, sync_on_compute=over_processes),
    }
    if has_top5:
        metrics["top5"] = accuracy(5)
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)
