"""Logits of several parts -> one: every fusion is a function of ``(P, B, K)`` logits.

P counts the parts of a model, such as the spatial and the temporal stream. Each function returns ``(B, K)`` logits
whose softmax is the fused distribution. Where scores are averaged before softmax, ``mean`` and ``weighted`` are means
of logits, as in the code of TSN and I3D; ``product`` is the same as ``mean`` then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from vidcls.types import ScoreRule

Fusion = Literal["mean", "product", "weighted", "svm"]


def mean_of_probabilities(logits: Tensor, weights: Tensor) -> Tensor:
    """Logarithm of the weighted mean of the parts' softmax (Simonyan and Zisserman 2014: fusion by averaging)."""
    shares = (weights / weights.sum()).log().view(-1, 1, 1)
    return torch.logsumexp(logits.float().log_softmax(dim=-1) + shares, dim=0)  # (B, K)


def product_of_probabilities(logits: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the parts' log-probabilities: a geometric mean, in which each part has a veto."""
    shares = (weights / weights.sum()).view(-1, 1, 1)
    return (logits.float().log_softmax(dim=-1) * shares).sum(dim=0)  # (B, K)


def mean_of_logits(logits: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the parts' logits (Wang et al. 2016 in their code; there it is the weighted sum)."""
    shares = (weights / weights.sum()).view(-1, 1, 1)
    return (logits.float() * shares).sum(dim=0)  # (B, K)


FIXED_FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean_of_probabilities,
    "product": product_of_probabilities,
    "weighted": mean_of_probabilities,
}
FIXED_FUSIONS_OF: dict[ScoreRule, dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "probabilities": FIXED_FUSIONS,
    "logits": {"mean": mean_of_logits, "product": product_of_probabilities, "weighted": mean_of_logits},
}
