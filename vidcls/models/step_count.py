"""A trainer -> the number of optimiser steps of its whole run."""

from __future__ import annotations

import math

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from vidcls.errors import ConfigurationError


def number_of_steps(trainer: Trainer) -> int:
    """Optimiser steps until the end, with those of a GradientAccumulationScheduler counted epoch by epoch.

    Lightning's own count takes the accumulation of this moment for that of every epoch.

    Raises:
        ConfigurationError: the training has no end.
    """
    num_steps = trainer.estimated_stepping_batches  # loads the data, by which the batches are counted
    if num_steps == float("inf"):
        raise ConfigurationError("the schedule needs to know the end: pass --trainer.max_epochs or .max_steps")
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    schedulers = [callback for callback in callbacks if isinstance(callback, GradientAccumulationScheduler)]
    if not schedulers or trainer.max_epochs in (None, -1):
        return int(num_steps)
    assert trainer.max_epochs is not None
    together = (schedulers[-1].get_accumulate_grad_batches(epoch) for epoch in range(trainer.max_epochs))
    counted = sum(math.ceil(trainer.num_training_batches / num_batches) for num_batches in together)
    return min(counted, trainer.max_steps) if trainer.max_steps != -1 else counted
