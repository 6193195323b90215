"""Scores and labels -> top-1, top-5 and mean class accuracy."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

TOP5_MIN_CLASSES = 6  # with five classes or fewer the right one is always among the first five


class MeanClassAccuracy(MulticlassConfusionMatrix):
    """The mean over classes of the share of its videos that were recognised (balanced accuracy).

    Classes without a video stay out of the mean; torchmetrics' macro average would count them as 0 once predicted.
    """

    is_differentiable = False
    higher_is_better = True

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count the answers to scores ``(N, K)`` against labels ``(N,)``.

        The counts are those of torchmetrics, which asks the GPU for the largest pair of classes and so waits for it.
        """
        pairs = target * self.num_classes + preds.argmax(dim=1)
        self.confmat.view(-1).index_add_(0, pairs, torch.ones_like(pairs))

    def compute(self) -> Tensor:
        """A scalar in 0 to 1."""
        return mean_recall(super().compute())

    def plot(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        """Not drawn: it is one number."""
        raise NotImplementedError("mean class accuracy is one number; draw the confusion matrix instead")


def mean_recall(confusion: Tensor) -> Tensor:
    """Mean recall of a confusion matrix ``(K, K)`` (rows are true classes) over the classes that occur."""
    support = confusion.sum(dim=1)
    recall = confusion.diag().float() / support.clamp(min=1)
    return recall[support > 0].mean() if bool((support > 0).any()) else torch.zeros((), device=confusion.device)


def classification_metrics(num_classes: int, prefix: str) -> MetricCollection:
    """``top1``, ``top5`` (from six classes on) and ``mean_class_accuracy``, each named with ``prefix``."""
    # Labels come from the data set's list of classes; to validate them in each step would wait for the GPU.
    metrics: dict[str, Metric | MetricCollection] = {
        "top1": MulticlassAccuracy(num_classes, top_k=1, average="micro", validate_args=False),
        "mean_class_accuracy": MeanClassAccuracy(num_classes, validate_args=False),
    }
    if num_classes >= TOP5_MIN_CLASSES:
        metrics["top5"] = MulticlassAccuracy(num_classes, top_k=5, average="micro", validate_args=False)
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)


def score(scores: Tensor, labels: Tensor) -> dict[str, float]:
    """The metrics of ``(N, K)`` scores against ``(N,)`` labels, as plain numbers."""
    metrics = classification_metrics(scores.shape[1], prefix="")
    computed = metrics(scores, labels)  # compute() would wait for all processes, and one of them may ask alone
    return {name: float(computed[name]) for name in ("top1", "top5", "mean_class_accuracy") if name in computed}
