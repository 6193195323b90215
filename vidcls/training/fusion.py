"""Logits of several parts -> one: every fusion is a function of ``(P, B, K)`` logits.

P counts the parts of a model, such as the spatial and the temporal stream. Each function returns ``(B, K)`` logits
whose probabilities are the fused ones; the task says how probabilities are averaged and multiplied. Where logits are
averaged, ``mean`` and ``weighted`` are means of logits, as in the code of TSN and I3D; ``product`` is the same as
``mean`` then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from vidcls.tasks import Task
from vidcls.types import ScoreRule

Fusion = Literal["mean", "product", "weighted", "svm"]


def mean_of_logits(logits: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of the parts' logits (Wang et al. 2016 in their code; there it is the weighted sum)."""
    shares = (weights / weights.sum()).view(-1, 1, 1)
    return (logits.float() * shares).sum(dim=0)  # (B, K)


def fixed_fusions(task: Task, rule: ScoreRule = "probabilities") -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """The fusions that are not fitted, by name, where ``rule`` says what is averaged."""
    mean = mean_of_logits if rule == "logits" else task.mean_of_probabilities
    return {"mean": mean, "product": task.product_of_probabilities, "weighted": mean}
