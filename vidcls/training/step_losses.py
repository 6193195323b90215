"""The losses of an epoch's steps -> their mean over clips, and how far single steps lie from it."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class StepLosses(Metric):
    """Counts the losses of the training clips as a validation counts those of its videos.

    ``compute`` gives ``(mean, spread)``: the mean over all clips, and the standard deviation of the means of single
    steps around it. Both are NaN where there was no clip. Nothing is read from the device before.
    """

    full_state_update = False
    total: Tensor
    squares: Tensor
    num_clips: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "squares", "num_clips"):
            self.add_state(name, default=torch.zeros(()), dist_reduce_fx="sum")

    def update(self, losses: Tensor) -> None:
        """Add the losses ``(B,)`` of one step's clips."""
        mean = losses.mean()
        self.total += losses.sum()
        self.squares += len(losses) * mean**2
        self.num_clips += len(losses)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean and spread, scalars."""
        mean = self.total / self.num_clips
        return mean, (self.squares / self.num_clips - mean**2).clamp_min(0).sqrt()
