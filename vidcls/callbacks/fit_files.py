"""A training -> its first and last lines, and a picture of its curves."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.first_lines import first_lines, starts_from_scratch
from vidcls.callbacks.last_lines import last_lines, next_command
from vidcls.callbacks.pictures import draw_curves
from vidcls.callbacks.stop_at_batch import was_stopped
from vidcls.console import say
from vidcls.files import remove_leftovers
from vidcls.models.probe import Probe
from vidcls.runs.curves import read_curves
from vidcls.runs.folder import (
    BEST,
    CURVES_FILE,
    LAST,
    METRICS_FILE,
    PROBE_FIGURE,
    PROBE_FILE,
    RUN_FILE,
    checkpoint_in,
    checkpoint_name,
)
from vidcls.tasks import HasTask, task_class

FILES = (
    checkpoint_name(BEST),
    checkpoint_name(LAST),
    METRICS_FILE,
    CURVES_FILE,
    PROBE_FILE,
    PROBE_FIGURE,
)

SAVE_OFTEN = "--save_every_n_steps N also saves within epochs"
FEW_STEPS = 100  # the smallest network needs some 100 on the easiest data, the built-in one


class FitFiles(Callback):
    """Says what is trained, draws ``curves.png`` from ``metrics.csv``, and says what came of it and where it lies.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.has_begun = False
        """Whether there was anything left to train."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Not called where a checkpoint is that of the end."""
        self.has_begun = True

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where the run will lie, and where it is too short to learn much; remove what a kill left there."""
        self.has_begun = False
        if not trainer.is_global_zero:
            return
        for name in (*FILES, RUN_FILE):
            remove_leftovers(self.run / name)
        for line in first_lines(trainer, pl_module, self.run):
            say(line)
        num_steps = int(trainer.estimated_stepping_batches)
        if num_steps < FEW_STEPS and starts_from_scratch(pl_module, trainer.ckpt_path):
            print(
                f"hint: optimiser steps in the whole run: {num_steps}, few for a training from scratch: "
                "raise --trainer.max_epochs or lower --data.batch_size"
            )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves."""
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            logger.save()
        metrics = self.run / METRICS_FILE
        curves = read_curves(metrics) if metrics.is_file() else {}
        if "train/loss" in curves or len(curves.get("val/loss", ())) > 1:  # one point is no curve
            task = pl_module.task if isinstance(pl_module, HasTask) else task_class(None)
            draw_curves(metrics, self.run / CURVES_FILE, task)
        written = [name for name in FILES if (self.run / name).is_file()]
        if not self.has_begun:
            say(
                f"nothing was trained: {self.run} had ended, after {trainer.current_epoch} epochs: raise "
                "--trainer.max_epochs to continue it"
            )
            return
        for line in last_lines(trainer, self.run, written):
            say(line)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Say how a training that was stopped goes on, or that nothing of it was saved."""
        if not (was_stopped(trainer, exception) and trainer.is_global_zero):
            return
        last = checkpoint_in(self.run, LAST)
        if isinstance(pl_module, Probe) and pl_module.fits_features:
            say("stopped: the features that were computed are kept: the same command goes on from there")
        elif last.is_file():
            command = next_command("fit", self.run, "--ckpt_path", LAST)
            say(f"stopped: {self.run}: {command} goes on{_from_where(trainer, last)}")
        else:
            say(f"stopped: {self.run}: no checkpoint was saved, since the first epoch had not ended ({SAVE_OFTEN})")


def _from_where(trainer: Trainer, last: Path) -> str:
    """What of the running epoch the last checkpoint has."""
    saved = torch.load(last, map_location="cpu", weights_only=True, mmap=True)
    if saved["global_step"] == trainer.global_step:
        return ""
    if saved["epoch"] == trainer.current_epoch:
        return f" after step {saved['global_step']}"
    return f" from the start of epoch {trainer.current_epoch + 1} ({SAVE_OFTEN})"
