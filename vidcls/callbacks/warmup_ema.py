"""The weights of each step -> their moving average, which reaches back no further than a share of the training."""

from __future__ import annotations

from functools import partial

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class WarmupEMA(WeightAveraging):
    """Validates, keeps and tests an exponential moving average of the weights, whose decay rises with the steps.

    The decay of the average t is ``min(decay, (1 + t) / (10 + t))``, as ``tf.train.ExponentialMovingAverage`` has it
    with ``num_updates``. With a decay that is fixed, as that of Lightning's ``EMAWeightAveraging``, the random initial
    weights are a large part of the average for the first ``1 / (1 - decay)`` steps, and the running statistics of batch
    normalisation as well.

    Args:
        decay: that of a long training: 0.999 averages some 1000 steps, once there have been 9000.
    """

    def __init__(self, *, decay: float = 0.999) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"decay must be above 0 and below 1, got {decay}")
        super().__init__(use_buffers=True, avg_fn=partial(warmed_average, decay))


def warmed_average(decay: float, average: Tensor, current: Tensor, num_averaged: Tensor) -> Tensor:
    """The average with the current value taken in; nothing is read back from a device.

    >>> import torch
    >>> warmed_average(0.999, torch.tensor(1.0), torch.tensor(0.0), torch.tensor(8))
    tensor(0.5000)
    """
    kept = ((1 + num_averaged) / (10 + num_averaged)).clamp(max=decay)
    return average * kept + current * (1 - kept)
