"""A learning rate for one batch size -> that for the clips that all processes train on in one optimiser step.

Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017 (arXiv:1706.02677): k times the batch,
k times the learning rate, after a warm-up. For adaptive optimisers the square root of k is usual (Krizhevsky 2014,
arXiv:1404.5997; Hoffer et al. 2017, arXiv:1705.08741).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Rule = Literal["linear", "sqrt"]
_WORDS = {"linear": "in proportion", "sqrt": "by the square root"}


@dataclass(frozen=True)
class ScaledLr:
    """A learning rate and what it was made of.

    Args:
        rule: ``linear`` or ``sqrt``.
        base_lr: the learning rate for ``base_batch`` clips in a step.
        base_batch: clips.
        batch_size: clips of one process in one batch.
        num_processes: that train together.
        accumulated: batches of each process in one optimiser step.
    """

    rule: Rule
    base_lr: float
    base_batch: int
    batch_size: int
    num_processes: int
    accumulated: int

    @property
    def batch(self) -> int:
        """Clips in one optimiser step, of all processes together."""
        return self.batch_size * self.num_processes * self.accumulated

    @property
    def factor(self) -> float:
        """What the learning rate is multiplied by."""
        share = self.batch / self.base_batch
        return share if self.rule == "linear" else math.sqrt(share)

    @property
    def lr(self) -> float:
        """The learning rate of the training, after the warm-up."""
        return self.base_lr * self.factor

    def to_dict(self) -> dict[str, object]:
        """Plain types."""
        return {
            "rule": self.rule,
            "base_lr": self.base_lr,
            "base_batch": self.base_batch,
            "batch": self.batch,
            "lr": self.lr,
        }

    def line(self) -> str:
        """What was done, in one line.

        >>> ScaledLr("linear", 0.1, 256, batch_size=8, num_processes=4, accumulated=2).line()
        'learning rate: 0.1 for 256 clips, scaled in proportion to 0.025 for 64 (8 clips x 4 processes x 2 batches)'
        """
        parts = [f"{self.batch_size} clips"]
        parts += [f"{self.num_processes} processes"] if self.num_processes > 1 else []
        parts += [f"{self.accumulated} batches"] if self.accumulated > 1 else []
        product = f" ({' x '.join(parts)})" if len(parts) > 1 else ""
        return (
            f"learning rate: {self.base_lr:g} for {self.base_batch} clips, scaled {_WORDS[self.rule]} to {self.lr:.4g} "
            f"for {self.batch}{product}"
        )
