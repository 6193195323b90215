"""What is changed about a loss: smoothing, and a weight for each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vidcls.errors import listed


@dataclass(frozen=True)
class LossSettings:
    """The loss of the task and what is changed about it.

    Args:
        label_smoothing: share of the target that is spread evenly over all classes (Szegedy et al. 2016), 0 to 1.
        balanced: weigh every class by the inverse of its number of training videos, so that rare ones count as much;
            with several labels, every video that has a class by the number of those that have not for each that has.
        class_weights: weights by class name; classes left out weigh 1. Not together with ``balanced``.
        focal_gamma: exponent of the focal loss (Lin et al. 2017), such as 2: what is recognised anyway counts less;
            0 for none.
    """

    label_smoothing: float = 0.0
    balanced: bool = False
    class_weights: dict[str, float] = field(default_factory=dict)
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in 0 to 1 (excluded), got {self.label_smoothing}")
        if not (math.isfinite(self.focal_gamma) and self.focal_gamma >= 0):
            raise ValueError(f"focal_gamma must be finite and at least 0, got {self.focal_gamma}")
        if self.balanced and self.class_weights:
            raise ValueError("loss.balanced and loss.class_weights exclude each other: give one of them")
        for name, weight in self.class_weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"loss.class_weights must be finite and at least 0, got {weight} for {name!r}")


def weights_by_name(class_names: Sequence[str], settings: LossSettings) -> Tensor:
    """Weights ``(K,)`` in the order of ``class_names``; errors on a name that is not a class."""
    unknown = sorted(set(settings.class_weights) - set(class_names))
    if unknown:
        raise ValueError(f"loss.class_weights names {unknown[0]!r}, which is no class: use {listed(class_names)}")
    return torch.tensor([settings.class_weights.get(name, 1.0) for name in class_names])
