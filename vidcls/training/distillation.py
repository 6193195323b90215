"""The scores of a larger model for the training videos -> soft targets for a smaller one.

Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, NIPS 2014 workshop (arXiv:1503.02531), section 2.
With student logits s, teacher logits z, temperature T and weight a, the loss of a clip is ::

    a * T^2 * H(softmax(z / T), softmax(s / T)) + (1 - a) * H(label, softmax(s))

H is the cross entropy; T^2 keeps the size of the gradients of the first term, which shrink by 1 / T^2. Of a teacher
whose scores are the mean over many views of a video, z is the logarithm of that mean. Where a video may have several
classes, each is a softmax of two by itself, which the task knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.tasks import Task


@dataclass(frozen=True)
class DistillationSettings:
    """How much weight the teacher has.

    Args:
        temperature: T, above 0: above 1, the classes that the teacher finds unlikely count more.
        alpha: weight of the teacher in 0 to 1; the labels have the rest.
    """

    temperature: float = 2.0
    alpha: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is the weight of the teacher, above 0 and at most 1, got {self.alpha}")


class Teacher:
    """Soft targets of the training videos by their position in the list.

    Args:
        scores: probabilities ``(N, K)`` of the teacher, with the classes in the order of the student's logits.
        task: what labels mean.
        settings: how much weight they have.
    """

    def __init__(self, scores: NDArray[np.floating], task: Task, settings: DistillationSettings) -> None:
        self.settings = settings
        self._task = task
        logits = torch.from_numpy(task.array_logits(scores))
        self._soft = task.probabilities(logits / settings.temperature)  # (N, K), at the temperature

    def soft_targets(self, index: Tensor) -> Tensor:
        """The teacher's probabilities at the temperature ``(B, K)``, on the device of ``index``."""
        self._soft = self._soft.to(index.device)
        return self._soft[index]

    def loss(self, logits: Tensor, index: Tensor, of_labels: Callable[[Tensor], Tensor]) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            logits: ``(B, K)``.
            index: positions of the videos ``(B,)``.
            of_labels: logits -> the loss by the labels.
        """
        T, alpha = self.settings.temperature, self.settings.alpha
        cool = logits.float() / T
        weights = torch.ones(cool.shape[-1], device=cool.device)
        soft = self._task.loss(cool, self.soft_targets(index), weights=weights, label_smoothing=0.0)
        return alpha * T**2 * soft + (1 - alpha) * of_labels(logits)
