"""Each video has any of K classes, or none: sigmoid, binary cross entropy, mAP, F1 and exact match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import LABEL_SEPARATOR, label_text
from vidcls.errors import DatasetError
from vidcls.tasks.accuracies import accuracy
from vidcls.tasks.average_precision import average_precisions, f1_by_class, f1_of_all, macro
from vidcls.tasks.class_thresholds import DEFAULT_THRESHOLD
from vidcls.tasks.task import Array, Baseline, Measure, MetricName, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torchmetrics import MetricCollection

    from vidcls.types import Target

MAP = MetricName("map", "mAP", "mAP")
F1_MACRO = MetricName("f1_macro", "macro F1", "macro F1")
F1_MICRO = MetricName("f1_micro", "micro F1", "micro F1")
EXACT_MATCH = MetricName("exact_match", "exact match", "exact")


class MultiLabel(Task):
    """Several classes for each video, or none; its target is ``(K,)`` float32: 1 for each class that it has, else 0.

    mAP and macro F1 are means over the classes that occur among the videos; in exact match (subset accuracy) a video
    counts where exactly the classes that it has are predicted.

    Args:
        class_names: K names in the order of the logits, none with the bar that separates classes in a cell.
        thresholds: of each class ``(K,)``, or ``(N, K)`` where those of N videos are not the same: from that
            probability on it is predicted; default: 0.5.

    Raises:
        DatasetError: a name contains the bar.
    """

    name: ClassVar[str] = "multi_label"
    has_one_class: ClassVar[bool] = False
    main_metric: ClassVar[str] = MAP.key
    hit_metric: ClassVar[str] = EXACT_MATCH.key
    headline: ClassVar[tuple[str, ...]] = (MAP.key, F1_MACRO.key)
    quality: ClassVar[str] = "mAP and F1"
    chance: ClassVar[None] = None
    metric_names: ClassVar[tuple[MetricName, ...]] = (MAP, F1_MACRO, F1_MICRO, EXACT_MATCH)

    def __init__(
        self, class_names: Sequence[str], *, thresholds: Sequence[float] | NDArray[np.floating] | None = None
    ) -> None:
        super().__init__(class_names)
        barred = next((name for name in class_names if LABEL_SEPARATOR in name), None)
        if barred is not None:
            raise DatasetError(
                f"the class name {barred!a} contains {LABEL_SEPARATOR}, which separates the classes of a video in the "
                f"task {self.name}: rename the class"
            )
        found = np.full(len(class_names), DEFAULT_THRESHOLD) if thresholds is None else np.asarray(thresholds, float)
        if found.shape[-1:] != (len(class_names),) or not ((found > 0) & (found <= 1)).all():
            raise ValueError(f"expected a threshold above 0 and up to 1 for each of {len(class_names)} classes")
        self.thresholds: NDArray[np.float64] = found

    def with_thresholds(self, thresholds: Sequence[float] | NDArray[np.floating] | None) -> MultiLabel:
        """The same with these thresholds; 0.5 where there are none."""
        return type(self)(
            self.class_names, thresholds=None if thresholds is None or not len(thresholds) else thresholds
        )

    # --- labels -------------------------------------------------------------------------------------------------

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.class_names)}

    def target(self, classes: Sequence[str]) -> Tensor:
        """1 at the numbers of the classes."""
        import torch

        target = torch.zeros(self.num_classes)
        for name in classes:
            target[self._number_of[name]] = 1
        return target

    def classes_of(self, target: Target | np.integer | NDArray[np.generic]) -> tuple[str, ...]:
        """The names where the target is not 0, in the order of the class names."""
        return tuple(
            name for name, there in zip(self.class_names, cast("NDArray[np.generic]", target), strict=True) if there
        )

    def classes_in(self, text: str) -> tuple[str, ...]:
        """What stands between bars."""
        return tuple(filter(None, text.split(LABEL_SEPARATOR)))

    def random_targets(self, num_videos: int, generator: torch.Generator) -> Tensor:
        """Each class in half of the videos, ``(num_videos, K)``."""
        import torch

        return torch.randint(2, (num_videos, self.num_classes), generator=generator).float()

    # --- a network that is trained ------------------------------------------------------------------------------

    def loss(
        self, logits: Tensor, targets: Tensor, *, weights: Tensor, label_smoothing: float, focal_gamma: float = 0.0
    ) -> Tensor:
        """Binary cross entropy; see :func:`vidcls.tasks.losses.weighted_binary_cross_entropy`."""
        from vidcls.tasks.losses import weighted_binary_cross_entropy

        return weighted_binary_cross_entropy(
            logits, targets, weights, label_smoothing=label_smoothing, focal_gamma=focal_gamma
        )

    def balanced_weights(self, counts: Sequence[int], num_videos: int) -> list[float]:
        """Videos without the class for each video with it, so that both count as much; classes without one get 0."""
        return [(num_videos - count) / count if count else 0.0 for count in counts]

    def loss_by_video(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean binary cross entropy over the classes ``(B,)``."""
        from torch.nn import functional as F

        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Sigmoid of each class."""
        return logits.float().sigmoid()

    def logits_of(self, probabilities: Tensor) -> Tensor:
        """The logarithm of the odds."""
        return probabilities.double().logit(eps=1e-12).float()

    def array_probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sigmoid of each class."""
        power = np.exp(-np.abs(logits.astype(np.float32)))
        found: NDArray[np.float32] = np.where(logits >= 0, 1, power) / (1 + power)
        return found.astype(np.float32)

    def mean_of_probabilities(self, logits: Tensor, weights: Tensor | None = None) -> Tensor:
        """The logit of the mean of the parts' sigmoids."""
        import torch
        from torch.nn import functional as F

        weights = torch.ones(len(logits), device=logits.device) if weights is None else weights
        shares = (weights / weights.sum()).log().view(-1, 1, 1)
        there = (F.logsigmoid(logits.float()) + shares).logsumexp(dim=0)  # (B, K)
        return there - (F.logsigmoid(-logits.float()) + shares).logsumexp(dim=0)

    def product_of_probabilities(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean of the parts' logits: the logit of the geometric mean of the odds."""
        shares = (weights / weights.sum()).view(-1, 1, 1)
        return (logits.float() * shares).sum(dim=0)  # (B, K)

    def metrics(self, prefix: str, *, over_processes: bool = True) -> MetricCollection:
        """``map``, ``f1_macro``, ``f1_micro`` and ``exact_match``."""
        from vidcls.tasks.multilabel_metrics import multilabel_metrics

        return multilabel_metrics(self.num_classes, prefix, self.predicted, over_processes=over_processes)

    def count(self, metrics: MetricCollection, logits: Tensor, targets: Tensor) -> None:
        """Update the metrics with the probabilities."""
        metrics.update(self.probabilities(logits.detach()), targets)

    # --- scores -------------------------------------------------------------------------------------------------

    def predicted(self, scores: Array) -> Array:
        """1 where the score is at least the threshold of its class, else 0."""
        if isinstance(scores, np.ndarray):
            return cast(Array, (scores.astype(np.float64) >= self.thresholds) * 1)
        import torch

        return (scores.double() >= torch.from_numpy(self.thresholds).to(scores.device)) * 1

    def wrong_scores(self, targets: Tensor) -> Tensor:
        """1 for each class that the video has not, 0 for each that it has."""
        return 1 - targets

    # --- a finished test ----------------------------------------------------------------------------------------

    def confidence(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """The probability of the least probable of the K decisions of each video."""
        found: NDArray[np.floating] = np.where(self.predicted(scores), scores, 1 - scores).min(axis=1)
        return found

    def claims(
        self, scores: NDArray[np.floating], targets: NDArray[np.generic]
    ) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """The probability of each class in each video, and whether it is there, ``(N * K,)``."""
        return scores.reshape(-1), targets.astype(np.bool_).reshape(-1)

    def measures(self, scores: NDArray[np.floating], targets: NDArray[np.generic]) -> Mapping[str, Measure]:
        """mAP, F1 and exact match."""
        predictions = self.predicted(scores)
        precisions, f1 = average_precisions(scores, targets), f1_by_class(predictions, targets)
        is_right = self.is_correct(scores, targets).astype(np.bool_)
        return {
            MAP.key: lambda weights: macro(precisions(weights)),
            F1_MACRO.key: lambda weights: macro(f1(weights)),
            F1_MICRO.key: f1_of_all(predictions, targets),
            EXACT_MATCH.key: lambda weights: accuracy(is_right, weights=weights),
        }

    def baselines(self, targets: NDArray[np.generic]) -> tuple[Baseline, ...]:
        """The most frequent set of classes for every video, and every class for every video."""
        sets = Counter(map(tuple, targets.astype(int).tolist()))
        most = max(sets, key=lambda classes: sets[classes])
        named = label_text(self.classes_of(np.array(most)))
        answers = {f'always "{named}"' if named else "always no class": most, "always every class": (1,) * len(most)}
        return tuple(
            Baseline(answer, {key: measure(None) for key, measure in self._of_constant(classes, targets).items()})
            for answer, classes in answers.items()
        )

    def _of_constant(self, classes: Sequence[int], targets: NDArray[np.generic]) -> Mapping[str, Measure]:
        return self.measures(np.tile(np.array(classes, dtype=float), (len(targets), 1)), targets)
