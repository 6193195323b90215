"""A short run of rising learning rate -> the learning rate of the training, and a figure of how the loss fell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateFinder
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from vidcls.callbacks.resumed_checkpoint import is_of_finder
from vidcls.errors import ConfigurationError
from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.models import VideoClassifier
from vidcls.runs.folder import LR_FIGURE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SKIPPED = 10  # steps, until Lightning's moving average of the loss says something
LEAST_STEPS = 10  # in a fall that is taken for one


class LearningRateRangeTest(LearningRateFinder):
    """Trains some steps with a learning rate that rises from step to step, and takes the middle of the loss's fall.

    Smith: Cyclical Learning Rates for Training Neural Networks, WACV 2017, section 3.3, names the test. Where to read
    it: the middle of the longest subsequence of falling losses, as the ``valley`` of fastai's ``lr_find``. Lightning's
    own class takes the steepest fall by the learning rate itself, not by its logarithm, and so nearly always one at the
    low end (Lightning 2.5.3 and later), and tests again where a training goes on from a checkpoint. The weights are
    those of before when the training begins.

    ``lr_finder.png`` in the run folder shows the loss by learning rate and the one that was taken.

    Args:
        min_lr: the first learning rate.
        max_lr: the last one.
        num_training_steps: learning rates in equal ratios, one step each, whatever the epochs of the training.
        early_stop_threshold: ends the test at so many times the least loss; None for never.
    """

    def __init__(
        self,
        *,
        min_lr: float = 1e-6,
        max_lr: float = 1.0,
        num_training_steps: int = 100,
        early_stop_threshold: float | None = 4.0,
    ) -> None:
        if not 0 < min_lr < max_lr:
            raise ValueError(f"min_lr must be above 0 and below max_lr, got {min_lr} and {max_lr}")
        if num_training_steps < 2 * LEAST_STEPS:
            raise ValueError(f"num_training_steps must be at least {2 * LEAST_STEPS}, got {num_training_steps}")
        super().__init__(
            min_lr=min_lr,
            max_lr=max_lr,
            num_training_steps=num_training_steps,
            early_stop_threshold=early_stop_threshold,
            update_attr=False,
        )
        self.found_lr: float | None = None
        """The learning rate that was taken; None before the test, and where it found none."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run the test; a training that goes on from a checkpoint goes on with what was found before."""
        if trainer.ckpt_path is None or is_of_finder(trainer.ckpt_path):
            self.lr_find(trainer, pl_module)
        elif self.found_lr is not None and isinstance(pl_module, VideoClassifier):
            pl_module.lr = self.found_lr

    def state_dict(self) -> dict[str, float | None]:
        """What a checkpoint keeps."""
        return {"found_lr": self.found_lr}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Take it over."""
        self.found_lr = state_dict["found_lr"]

    def lr_find(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Run the test, and set the learning rate of the optimiser and of its schedule."""
        if not isinstance(pl_module, VideoClassifier):
            raise ConfigurationError(
                f"callbacks.LearningRateRangeTest is for classifiers of vidcls, not {type(pl_module).__name__}: use "
                "lightning.pytorch.callbacks.LearningRateFinder"
            )
        max_epochs = trainer.fit_loop.max_epochs
        trainer.fit_loop.max_epochs = -1  # the steps of the test may be more than those of the training
        try:
            super().lr_find(trainer, pl_module)
        finally:
            trainer.fit_loop.max_epochs = max_epochs
        if self.optimal_lr is None:  # --trainer.fast_dev_run
            return
        rates, losses = (self.optimal_lr.results[name][SKIPPED:] for name in ("lr", "loss"))
        place = middle_of_fall(losses)
        if place is None:
            rank_zero_warn(
                f"the loss does not fall at learning rates from {self._min_lr:g} to {self._max_lr:g}: it stays at "
                f"{pl_module.lr:g}"
            )
            return
        before, pl_module.lr = pl_module.lr, rates[place]
        self.found_lr = rates[place]
        rank_zero_info(
            f"learning rate: {pl_module.lr:.2g}, the middle of the loss's fall in a test from {self._min_lr:g} to "
            f"{rates[-1]:.2g} (configured: {before:g})"
        )
        if trainer.is_global_zero:
            save_png(range_figure(rates, losses, place), Path(trainer.default_root_dir) / LR_FIGURE)


def middle_of_fall(losses: Sequence[float]) -> int | None:
    """The place half-way between the ends of the longest falling subsequence; None where none has 10 losses.

    >>> middle_of_fall([2.0] * 5 + [2 - 0.1 * k for k in range(12)] + [3.0] * 5)
    10
    """
    finite = [k for k, loss in enumerate(losses) if math.isfinite(loss)]
    lengths, before = [1] * len(finite), [-1] * len(finite)
    for i, place in enumerate(finite):
        for j in range(i):
            if losses[finite[j]] > losses[place] and lengths[j] + 1 >= lengths[i]:  # the last of equals
                lengths[i], before[i] = lengths[j] + 1, j
    if max(lengths, default=0) < LEAST_STEPS:
        return None
    first = last = lengths.index(max(lengths))
    while before[first] >= 0:
        first = before[first]
    return finite[(first + last) // 2]


def range_figure(rates: Sequence[float], losses: Sequence[float], place: int) -> Figure:
    """The smoothed loss by learning rate, with the one that was taken."""
    figure = png_figure(COLUMN_INCHES, 3.4)
    axes = figure.subplots()
    axes.plot(rates, losses)
    axes.grid(alpha=0.3)
    axes.plot(rates[place], losses[place], "o", color="black")
    axes.annotate(f"{rates[place]:.2g}", (rates[place], losses[place]), textcoords="offset points", xytext=(6, 6))
    axes.set_xscale("log")
    shown = [loss for loss in losses[: place + 1] if math.isfinite(loss)]
    lowest = min(loss for loss in losses if math.isfinite(loss))
    axes.set_ylim(lowest - 0.1, max(shown) * 1.3)  # what diverges at the end would hide the fall
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss, smoothed")
    return figure
