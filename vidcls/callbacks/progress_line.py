"""A training -> one line that moves while an epoch runs, on a terminal, and one line that stays for each epoch."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from vidcls.console import say
from vidcls.tasks import HasTask

# By their names in the log, and as they are called where there is little room.
MOVING = {"train/loss": "loss", "clips/s": "clips/s", "waiting": "waiting"}
KEPT = ("train/loss", "val/loss")
_Metrics: TypeAlias = dict[str, int | str | float | dict[str, float]]
_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class ProgressLine(TQDMProgressBar):
    """Shows batches, loss, clips/s and waiting on stderr where that is a terminal, and prints each epoch's results.

    Where output goes into a file there are the lines of the epochs alone: a line that moves would fill it.

    Args:
        refresh_rate: batches from one change of the line to the next.
    """

    BAR_FORMAT = _FORMAT

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate)
        if not sys.stderr.isatty():
            self.disable()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> _Metrics:
        """What moves, in so few letters that it fits into one line."""
        metrics = super().get_metrics(trainer, pl_module)
        return {short: metrics[name] for name, short in MOVING.items() if name in metrics}

    def on_train_epoch_start(self, trainer: Trainer, *more: object) -> None:
        """Count epochs from 1, as the lines that stay do."""
        super().on_train_epoch_start(trainer, *more)
        self.train_progress_bar.set_description(_number(trainer))

    def on_validation_batch_start(self, trainer: Trainer, *more: Any, **by_name: Any) -> None:
        """There is one loader: its number says nothing."""
        super().on_validation_batch_start(trainer, *more, **by_name)
        self.val_progress_bar.set_description(self.validation_description)

    def on_test_batch_start(self, trainer: Trainer, *more: Any, **by_name: Any) -> None:
        """There is one loader: its number says nothing."""
        super().on_test_batch_start(trainer, *more, **by_name)
        self.test_progress_bar.set_description(self.test_description)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch."""
        super().on_train_epoch_end(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        if self.is_enabled:
            self.train_progress_bar.clear()
        say(_line(trainer, pl_module))

    def init_sanity_tqdm(self) -> Tqdm:
        """The check before the first epoch has nothing to tell."""
        return self._bar("checking", is_off=True)

    def init_train_tqdm(self) -> Tqdm:
        """The line of an epoch."""
        return self._bar(self.train_description)

    def init_validation_tqdm(self) -> Tqdm:
        """The line of a validation, below that of the epoch."""
        return self._bar(self.validation_description, position=int(self.trainer.state.fn != "validate"))

    def init_test_tqdm(self) -> Tqdm:
        """The line of a test."""
        return self._bar(self.test_description)

    def _bar(self, description: str, *, position: int = 0, is_off: bool = False) -> Tqdm:
        return Tqdm(
            desc=description,
            position=position,
            disable=self.is_disabled or is_off,
            leave=False,
            dynamic_ncols=True,
            file=sys.stderr,
            smoothing=0,
            bar_format=self.BAR_FORMAT,
        )


def _number(trainer: Trainer) -> str:
    has_end = trainer.max_epochs is not None and trainer.max_epochs > 0
    return f"epoch {trainer.current_epoch + 1}" + (f" of {trainer.max_epochs}" if has_end else "")


def _line(trainer: Trainer, model: LightningModule) -> str:
    metrics = trainer.callback_metrics
    kept = (*KEPT, f"val/{model.task.main_metric}") if isinstance(model, HasTask) else KEPT
    values = [f"{name} {float(metrics[name]):.4f}" for name in kept if name in metrics]
    return f"{_number(trainer)}: {', '.join(values)}" if values else _number(trainer)
