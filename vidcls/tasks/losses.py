"""Logits and labels -> the loss that is minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def weighted_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0, focal_gamma: float = 0.0
) -> Tensor:
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
        focal_gamma: g: each ``-log p`` counts ``(1 - p)^g`` as much (Lin et al.: Focal loss for dense object detection,
            ICCV 2017), which gives easy clips less weight.
    """
    if focal_gamma:
        shares = targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[-1])
        smooth = (1 - label_smoothing) * shares + label_smoothing / logits.shape[-1]
        logs = logits.log_softmax(dim=-1)
        total = -(smooth * weights * (1 - logs.exp()) ** focal_gamma * logs).sum()
    else:
        total = F.cross_entropy(logits, targets, weight=weights, label_smoothing=label_smoothing, reduction="sum")
    weight = (targets * weights if targets.is_floating_point() else weights[targets]).sum()
    return total / torch.where(weight > 0, weight, torch.ones_like(weight))


def weighted_binary_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0, focal_gamma: float = 0.0
) -> Tensor:
    """Mean binary cross entropy over clips and classes: a scalar.

    With probabilities p, targets y, weights w, smoothed targets y' = (1 - s) y + s / 2 and the exponent g it is the
    mean of ``-w y' (1 - p)^g log p - (1 - y') p^g log(1 - p)``: for g = 0 that of ``torch.nn.BCEWithLogitsLoss`` with w
    as ``pos_weight``, otherwise the focal loss (Lin et al.: Focal loss for dense object detection, ICCV 2017), whose
    alpha is a weight of alpha / (1 - alpha), up to the factor 1 - alpha of the whole.

    Args:
        logits: ``(B, K)``.
        targets: ``(B, K)``, 0 to 1.
        weights: ``(K,)``: how much more a clip that has the class counts for it than one that has not.
        label_smoothing: s, which moves both targets towards 0.5.
        focal_gamma: g; the paper has 2.
    """
    smooth = targets * (1 - label_smoothing) + label_smoothing / 2
    if not focal_gamma:
        return F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=weights)
    log_there, log_absent = F.logsigmoid(logits), F.logsigmoid(-logits)
    there = weights * smooth * (focal_gamma * log_absent).exp() * log_there
    absent = (1 - smooth) * (focal_gamma * log_there).exp() * log_absent
    return -(there + absent).mean()
