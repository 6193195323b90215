"""Logits and labels -> the loss that is minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy in which each class has its weight, for plain labels and for mixed ones: a scalar.

    With targets q (one-hot for labels), weights w and smoothed targets q' = (1 - s) q + s / K it is
    ``sum(q' * w * -log p) / sum(q * w)`` over clips and classes, as ``torch.nn.CrossEntropyLoss`` has it for labels.
    For probabilities torch divides by the number of clips, so that weights of 2 would double the loss of a mixed
    batch. A common factor of all weights has no effect here. A batch whose classes all weigh 0 has a loss of 0.

    Several processes, and batches whose gradients are accumulated, each divide by their own sum and are then averaged,
    as in torch and Lightning: with unequal weights that is not quite the mean over all their clips.

    Args:
        logits: ``(B, K)``.
        targets: classes ``(B,)``, or probabilities ``(B, K)``.
        weights: ``(K,)``.
        label_smoothing: s, the share of the target that is spread evenly over all classes.
    """
    total = F.cross_entropy(logits, targets, weight=weights, label_smoothing=label_smoothing, reduction="sum")
    weight = (targets * weights if targets.is_floating_point() else weights[targets]).sum()
    return total / torch.where(weight > 0, weight, torch.ones_like(weight))
