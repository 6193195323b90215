"""What every task says of a label: how it is learnt, scored, measured, written and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch takes a second to load, and who reads the results of a test does without
    import torch
    from torch import Tensor
    from torchmetrics import MetricCollection

    from vidcls.types import Target

Array = TypeVar("Array", "Tensor", "NDArray[np.generic]")

LEAST = 1e-7
"""The least probability that a logarithm is taken of: float32 tells no smaller distance from 1 apart."""

Weights = NDArray[np.float64]
"""``(N,)``: how often each video counts."""

Measure = Callable[[Weights | None], float]
"""The value of one metric over N videos that were scored, each counted so often; once where None."""


class MetricName(NamedTuple):
    """A metric as files and people call it.

    Args:
        key: in ``metrics.csv``, ``test.json`` and as ``--monitor val/<key>``.
        title: on a page and in a document.
        short: where there is little room.
    """

    key: str
    title: str
    short: str


class Baseline(NamedTuple):
    """What answers reach that do not depend on the video.

    Args:
        answer: how they come about, such as ``guessing``.
        values: 0 to 1, by metric.
    """

    answer: str
    values: Mapping[str, float]


class Task(ABC):
    """What the labels of videos mean for K classes; a subclass is the only place that knows.

    A target is what a sample of the loader has for a label: a number of a class, or a tensor ``(K,)``. Targets of B
    videos are a tensor ``(B,)`` or ``(B, K)``, as ``torch.utils.data.default_collate`` makes it; so are predictions.
    Scores are probabilities ``(..., K)`` in 0 to 1. Arrays of a finished test have the same shapes in NumPy.

    Args:
        class_names: K names in the order of the logits.
    """

    name: ClassVar[str]
    """By which it is chosen, and which checkpoints and ``test.json`` keep."""

    has_one_class: ClassVar[bool]
    """Whether a video has exactly one class. Confusions, an SVM over streams and linear probes exist only then."""

    main_metric: ClassVar[str]
    """The metric by which the best checkpoint is chosen and trainings are compared over their epochs."""

    hit_metric: ClassVar[str]
    """The metric that is the share of the videos whose prediction is right."""

    headline: ClassVar[tuple[str, ...]]
    """The metrics that are drawn and compared, the main one first."""

    quality: ClassVar[str]
    """What these metrics measure, as the title of a panel."""

    thresholds: NDArray[np.float64] | None = None
    """From which probability on a class is predicted, ``(K,)`` or ``(N, K)``; None where nothing but order counts."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)

    def with_thresholds(self, thresholds: Sequence[float] | NDArray[np.floating] | None) -> Task:
        """The same where predictions follow these thresholds ``(K,)`` or ``(N, K)``; None or none for its own."""
        del thresholds
        return self

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    @abstractmethod
    def chance(self) -> float | None:
        """The main metric of guessing; None where it depends on the data."""

    # --- labels -------------------------------------------------------------------------------------------------

    @abstractmethod
    def target(self, classes: Sequence[str]) -> Target:
        """The target of a video with these classes.

        Raises:
            DatasetError: a video cannot have these classes.
            KeyError: one of them is not a class.
        """

    @abstractmethod
    def classes_of(self, target: Target | np.integer | NDArray[np.generic]) -> tuple[str, ...]:
        """The classes that one target, or one prediction of the same form, stands for."""

    @abstractmethod
    def classes_in(self, text: str) -> tuple[str, ...]:
        """The classes in a cell that :func:`vidcls.class_names.label_text` wrote."""

    @abstractmethod
    def random_targets(self, num_videos: int, generator: torch.Generator) -> Tensor:
        """Targets of random videos, for a measurement of speed."""

    # --- a network that is trained ------------------------------------------------------------------------------

    @abstractmethod
    def loss(
        self, logits: Tensor, targets: Tensor, *, weights: Tensor, label_smoothing: float, focal_gamma: float = 0.0
    ) -> Tensor:
        """The loss of a training batch, a scalar.

        Args:
            logits: ``(B, K)``.
            targets: of the videos; or ``(B, K)`` float32, how much of which class is in each, where clips were mixed.
            weights: ``(K,)``.
            label_smoothing: 0 to 1.
            focal_gamma: exponent of the focal loss; 0 for plain cross entropy.
        """

    @abstractmethod
    def balanced_weights(self, counts: Sequence[int], num_videos: int) -> list[float]:
        """The weights of a loss ``(K,)`` by which rare classes count as much as others.

        Args:
            counts: training videos of each class.
            num_videos: training videos.
        """

    @abstractmethod
    def loss_by_video(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The losses ``(B,)`` of a validation, without weights and smoothing."""

    @abstractmethod
    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits ``(..., K)`` -> float32 probabilities ``(..., K)``."""

    @abstractmethod
    def logits_of(self, probabilities: Tensor) -> Tensor:
        """Probabilities ``(..., K)`` -> logits that have them."""

    def array_probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """The same in NumPy; a task whose exported models are to run without torch computes it there."""
        import torch

        return self.probabilities(torch.from_numpy(logits)).numpy()

    def array_logits(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities ``(..., K)`` -> logits that :meth:`probabilities` turns into them, finite also for 0 and 1."""
        among = np.clip(np.asarray(scores, dtype=np.float64), LEAST, 1.0)
        return np.log(among) if self.has_one_class else np.log(among) - np.log(np.clip(1 - among, LEAST, 1.0))

    @abstractmethod
    def mean_of_probabilities(self, logits: Tensor, weights: Tensor | None = None) -> Tensor:
        """Logits ``(P, B, K)`` of P parts -> logits ``(B, K)`` of the mean of their probabilities.

        Args:
            logits: of the parts.
            weights: ``(P,)``; all alike where None.
        """

    @abstractmethod
    def product_of_probabilities(self, logits: Tensor, weights: Tensor) -> Tensor:
        """Logits ``(P, B, K)`` of P parts -> logits ``(B, K)`` of their probabilities' geometric mean."""

    @abstractmethod
    def metrics(self, prefix: str, *, over_processes: bool = True) -> MetricCollection:
        """What is counted while a network runs, from scores ``(B, K)`` and targets.

        Args:
            prefix: of the names.
            over_processes: whether all processes are asked for their counts when the metrics are computed.
        """

    def count(self, metrics: MetricCollection, logits: Tensor, targets: Tensor) -> None:
        """Update :meth:`metrics` with logits ``(B, K)``; a task whose metrics need probabilities makes them here."""
        metrics.update(logits.float(), targets)

    # --- scores -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def metric_names(self) -> tuple[MetricName, ...]:
        """All metrics, in the order of a table."""

    @abstractmethod
    def predicted(self, scores: Array) -> Array:
        """Scores ``(..., K)``, of PyTorch or of NumPy -> predictions, in the form of targets."""

    @abstractmethod
    def wrong_scores(self, targets: Tensor) -> Tensor:
        """Scores ``(N, K)`` that are wrong by every metric, for videos that could not be read."""

    def headline_names(self) -> tuple[MetricName, ...]:
        """The metrics that are drawn and compared, with their titles; the main one first."""
        name_of = {name.key: name for name in self.metric_names}
        return tuple(name_of[key] for key in self.headline)

    @property
    def hit_name(self) -> MetricName:
        """The metric that is the share of the videos whose prediction is right, with its titles."""
        return next(name for name in self.metric_names if name.key == self.hit_metric)

    def is_correct(self, scores: Array, targets: Array) -> Array:
        """Scores ``(N, K)``, of PyTorch or of NumPy -> whether each prediction is right ``(N,)``."""
        same = self.predicted(scores) == targets
        return same if same.ndim < scores.ndim else same.all(-1)

    def answer(self, scores: Array) -> tuple[str, ...]:
        """Scores ``(K,)`` of one video, of PyTorch or of NumPy -> the classes that it is given."""
        return self.classes_of(self.predicted(scores))

    def measured(self, scores: Tensor, targets: Tensor, *, at_once: int) -> dict[str, float]:
        """The metrics of scores ``(N, K)`` by key, as plain numbers.

        Args:
            scores: of all videos.
            targets: of all videos.
            at_once: videos that are counted at once: a metric makes several tables of all classes for each of them.
        """
        metrics = self.metrics("", over_processes=False)  # one of the processes may ask alone
        for some, their_targets in zip(scores.split(at_once), targets.split(at_once), strict=True):
            metrics.update(some, their_targets)
        computed = metrics.compute()
        return {name.key: float(computed[name.key]) for name in self.metric_names}

    def shares(self, targets: NDArray[np.generic]) -> NDArray[np.float64]:
        """Targets of N videos -> how much of each class is in them ``(N, K)``, 0 or 1."""
        if not self.has_one_class:
            return targets.astype(np.float64)
        return np.eye(self.num_classes)[targets.astype(np.int64)]

    # --- a finished test ----------------------------------------------------------------------------------------

    def claims(
        self, scores: NDArray[np.floating], targets: NDArray[np.generic]
    ) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Probabilities ``(M,)`` of statements that scores ``(N, K)`` make, and whether these are true."""
        return self.confidence(scores), self.is_correct(scores, targets).astype(np.bool_)

    @abstractmethod
    def confidence(self, scores: NDArray[np.floating]) -> NDArray[np.floating]:
        """Scores ``(N, K)`` -> how probable each prediction is ``(N,)``."""

    @abstractmethod
    def measures(self, scores: NDArray[np.floating], targets: NDArray[np.generic]) -> Mapping[str, Measure]:
        """Each metric of scores ``(N, K)`` by its key, as a function of how often each video counts.

        What does not depend on that is computed before, since intervals ask thousands of times.
        """

    def baselines(self, targets: NDArray[np.generic]) -> tuple[Baseline, ...]:
        """What answers reach in this test that do not depend on the video; none where the task knows none.

        Args:
            targets: ``(N,)`` or ``(N, K)``.
        """
        del targets
        return ()

    def confusion(self, scores: NDArray[np.floating], targets: NDArray[np.generic]) -> NDArray[np.int64] | None:
        """Counts ``(K, K)`` of scores ``(N, K)``: rows are true classes, columns are predictions.

        None where a video may have several classes, so that none is taken for another.
        """
        del scores, targets
        return None

    def confusion_in(self, metrics: MetricCollection) -> Tensor | None:
        """The counts ``(K, K)`` that :meth:`metrics` keep of this process; None where nothing is confused."""
        del metrics
        return None


@runtime_checkable
class HasTask(Protocol):
    """What says what labels mean: data, or a model."""

    @property
    def task(self) -> Task:
        """The task."""
