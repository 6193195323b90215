"""Each video has exactly one of K classes: softmax, cross entropy, top-1, top-5 and mean class accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import label_text
from vidcls.errors import DatasetError
from vidcls.tasks.accuracies import accuracy, confusion_counts, is_among_best, mean_class_accuracy
from vidcls.tasks.task import Array, Baseline, Measure, MetricName, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torchmetrics import MetricCollection

    from vidcls.types import Target

TOP1 = MetricName("top1", "top-1", "top-1")
TOP5 = MetricName("top5", "top-5", "top-5")
MEAN_CLASS_ACCURACY = MetricName("mean_class_accuracy", "mean class accuracy", "mean class")
TOP5_MIN_CLASSES = 6  # with five classes or fewer the right one is always among the first five


class SingleLabel(Task):
    """One class for each video; its target is the number of the class."""

    name: ClassVar[str] = "single_label"
    has_one_class: ClassVar[bool] = True
    main_metric: ClassVar[str] = TOP1.key
    hit_metric: ClassVar[str] = TOP1.key
    headline: ClassVar[tuple[str, ...]] = (TOP1.key, MEAN_CLASS_ACCURACY.key)
    quality: ClassVar[str] = "accuracy"

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.class_names)}

    @property
    def chance(self) -> float:
        """1 / K."""
        return 1 / self.num_classes

    def target(self, classes: Sequence[str]) -> int:
        """The number of the class."""
        if len(classes) != 1:
            found = label_text(classes) or "none"
            raise DatasetError(
                f"a video has {len(classes)} labels ({found}), but the task {self.name} takes exactly one for each: "
                "list one label for each video, or pass --task multi_label"
            )
        return self._number_of[classes[0]]

    def balanced_weights(self, counts: Sequence[int], num_videos: int) -> list[float]:
        """Proportional to 1 / count, with a mean of 1 over the training videos; classes that do not occur get 0."""
        del num_videos
        present = sum(count > 0 for count in counts)
        return [sum(counts) / (present * count) if count else 0.0 for count in counts]

    def classes_of(self, target: Target | np.integer | NDArray[np.generic]) -> tuple[str, ...]:
        """The name of the class."""
        return (self.class_names[int(target)],)

    def classes_in(self, text: str) -> tuple[str, ...]:
        """The whole text: it names one class."""
        return (text,)

    def random_targets(self, num_videos: int, generator: torch.Generator) -> Tensor:
        """Numbers of classes ``(num_videos,)``."""
        import torch

        return torch.randint(self.num_classes, (num_videos,), generator=generator)

    def loss(
        self, logits: Tensor, targets: Tensor, *, weights: Tensor, label_smoothing: float, focal_gamma: float = 0.0
    ) -> Tensor:
        """Cross entropy; see :func:`vidcls.tasks.losses.weighted_cross_entropy`."""
        from vidcls.tasks.losses import weighted_cross_entropy

        return weighted_cross_entropy(
            logits, targets, weights, label_smoothing=label_smoothing, focal_gamma=focal_gamma
        )

    def loss_by_video(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropies ``(B,)``."""
        from torch.nn import functional as F

        return F.cross_entropy(logits, targets, reduction="none")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Softmax over the classes."""
        return logits.float().softmax(dim=-1)

    def logits_of(self, probabilities: Tensor) -> Tensor:
        """The logarithm."""
        return probabilities.clamp(min=1e-12).log()

    def array_probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Softmax over the classes."""
        powers = np.exp(logits.astype(np.float32) - logits.max(axis=-1, keepdims=True).astype(np.float32))
        return powers / powers.sum(axis=-1, keepdims=True)

    def mean_of_probabilities(self, logits: Tensor, weights: Tensor | None = None) -> Tensor:
        """Logarithm of the mean of the parts' softmax (Simonyan and Zisserman 2014: fusion by averaging)."""
        if weights is None:
            return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))  # (B, K)
        shares = (weights / weights.sum()).log().view(-1, 1, 1)
        return (logits.float().log_softmax(dim=-1) + shares).logsumexp(dim=0)  # (B, K)

    def product_of_probabilities(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean of the parts' log-probabilities: a geometric mean, in which each part has a veto."""
        shares = (weights / weights.sum()).view(-1, 1, 1)
        return (logits.float().log_softmax(dim=-1) * shares).sum(dim=0)  # (B, K)

    def metrics(self, prefix: str, *, over_processes: bool = True) -> MetricCollection:
        """``top1``, ``top5`` (from six classes on) and ``mean_class_accuracy``."""
        from vidcls.tasks.metrics import classification_metrics

        return classification_metrics(self.num_classes, prefix, has_top5=self._has_top5, over_processes=over_processes)

    @property
    def metric_names(self) -> tuple[MetricName, ...]:
        """Top-1, top-5 from six classes on, and mean class accuracy."""
        return (TOP1, TOP5, MEAN_CLASS_ACCURACY) if self._has_top5 else (TOP1, MEAN_CLASS_ACCURACY)

    def predicted(self, scores: Array) -> Array:
        """The number of the most probable class; the first of equally probable ones."""
        return scores.argmax(-1)

    def wrong_scores(self, targets: Tensor) -> Tensor:
        """0 for the class of the video, and the same for each other."""
        import torch

        scores = torch.full((len(targets), self.num_classes), 1 / (self.num_classes - 1), device=targets.device)
        return scores.scatter(1, targets[:, None], 0.0)

    def measures(self, scores: NDArray[np.floating], targets: NDArray[np.generic]) -> Mapping[str, Measure]:
        """Top-1, top-5 from six classes on, and mean class accuracy."""
        labels = targets.astype(np.int64)
        is_right = scores.argmax(axis=1) == labels
        among_five = is_among_best(scores, labels, 5)
        found: dict[str, Measure] = {
            TOP1.key: lambda weights: accuracy(is_right, weights=weights),
            TOP5.key: lambda weights: accuracy(among_five, weights=weights),
            MEAN_CLASS_ACCURACY.key: lambda weights: mean_class_accuracy(labels, is_right, weights=weights),
        }
        return {name.key: found[name.key] for name in self.metric_names}

    def baselines(self, targets: NDArray[np.generic]) -> tuple[Baseline, ...]:
        """Guessing, where each class is as likely as any other, and the most frequent class for every video."""
        counts = np.bincount(targets.astype(np.int64), minlength=self.num_classes)  # (K,)
        guessed = {TOP1.key: 1 / self.num_classes, MEAN_CLASS_ACCURACY.key: 1 / self.num_classes}
        if self._has_top5:
            guessed[TOP5.key] = 5 / self.num_classes
        constant = {TOP1.key: float(counts.max() / counts.sum()), MEAN_CLASS_ACCURACY.key: 1 / int((counts > 0).sum())}
        largest = f'always "{self.class_names[int(counts.argmax())]}"'
        return Baseline("guessing", guessed), Baseline(largest, constant)

    def confidence(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """The probability of the predicted class."""
        found: NDArray[np.floating] = scores.max(axis=1)
        return found

    def confusion(self, scores: NDArray[np.floating], targets: NDArray[np.generic]) -> NDArray[np.int64]:
        """How often each class was taken for each."""
        return confusion_counts(targets.astype(np.int64), scores.argmax(axis=1), self.num_classes)

    def confusion_in(self, metrics: MetricCollection) -> Tensor:
        """The counts of mean class accuracy."""
        from vidcls.tasks.metrics import MeanClassAccuracy

        metric = metrics[MEAN_CLASS_ACCURACY.key]
        assert isinstance(metric, MeanClassAccuracy)
        return metric.confmat.clone()

    @property
    def _has_top5(self) -> bool:
        return self.num_classes >= TOP5_MIN_CLASSES
