"""The mean of an epoch's losses and the spread of its steps, by hand."""

from __future__ import annotations

import pytest
import torch

from vidcls.training.step_losses import StepLosses


def test_the_mean_is_over_clips_and_the_spread_over_steps() -> None:
    losses = StepLosses()
    losses.update(torch.tensor([1.0, 3.0, 2.0]))  # a step whose mean is 2
    losses.update(torch.tensor([6.0]))  # and a shorter one whose mean is 6
    mean, spread = losses.compute()
    assert float(mean) == pytest.approx(12 / 4)
    assert float(spread) == pytest.approx(((3 * 1 + 1 * 9) / 4) ** 0.5)


def test_an_epoch_without_clips_has_no_loss() -> None:
    assert StepLosses().compute()[0].isnan()
