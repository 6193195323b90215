"""A training -> one line that moves while an epoch runs, on a terminal, and one line that stays for each epoch."""

from __future__ import annotations

import math
import sys
import time
from contextlib import ExitStack
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from vidcls.callbacks.above_line import notes_above
from vidcls.callbacks.pace import Pace, num_epochs
from vidcls.callbacks.progress_facts import progress_of
from vidcls.callbacks.progress_text import SEPARATOR, Progress, clock, num_columns
from vidcls.console import duration, say

SECONDS_BETWEEN = 0.1  # from one change of the line to the next
NUM_ROWS = 20  # tqdm would ask the terminal, and show nothing on one that does not know how many it has


class ProgressLine(TQDMProgressBar):
    """Shows one line on stderr where that is a terminal, and prints each epoch's results.

    See :mod:`vidcls.callbacks.progress_text` for the line, which has what fits into the terminal. What is printed,
    logged or warned of meanwhile stands above it. Where output goes into a file, only the epochs have lines.

    Args:
        refresh_rate: batches from one change of the line to the next.
    """

    def __init__(self, refresh_rate: int = 1) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._pace = Pace()
        self._bar: Tqdm | None = None
        self._above = ExitStack()
        self._changed = 0.0
        self._started = 0.0
        self._first_epoch = 0
        self._validated_epoch: int | None = None
        if not sys.stderr.isatty():
            self.disable()

    # --- training -----------------------------------------------------------------------------------------------

    def on_sanity_check_start(self, *_: Any) -> None:
        """The check before the first epoch has nothing to tell."""

    def on_sanity_check_end(self, *_: Any) -> None:
        """Nor at its end."""
        self.reset_dataloader_idx_tracker()

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        """Begin the line."""
        self._pace, self._first_epoch, self._validated_epoch = Pace(), trainer.current_epoch, None
        self._begin()

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Count the epoch's time from now on."""
        self._pace.start_epoch(time.monotonic())
        self._show(trainer, self._place(0, self.total_train_batches))

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Show how far the epoch is."""
        self._pace.end_batch(batch_idx + 1, time.monotonic())
        if self._is_due(batch_idx + 1, self.total_train_batches):
            self._show(trainer, self._place(batch_idx + 1, self.total_train_batches))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Print the epoch, and after the first one how long the whole will take."""
        self._pace.end_epoch(time.monotonic())
        if not trainer.is_global_zero:
            return
        say(self._progress(trainer, ended=True).line(num_columns(sys.stdout)))
        if self._pace.num_epochs == 1:
            self._say_expected(num_epochs(trainer) - self._first_epoch)

    def _say_expected(self, epochs: float) -> None:
        """Say how long all epochs of this training take, where more than one is to come."""
        seconds = self._pace.epoch_seconds(0)
        if seconds is not None and math.isfinite(epochs) and epochs > 1:
            what = "the rest of the training" if self._first_epoch else "the whole training"
            say(f"expected: {duration(epochs * seconds)} for {what} ({epochs:.3g} epochs of {duration(seconds)})")

    def on_train_end(self, *_: Any) -> None:
        """Clear the line."""
        self._end()

    def on_exception(self, *_: Any) -> None:
        """Clear the line."""
        self._end()

    def teardown(self, *_: Any, **__: Any) -> None:
        """Clear the line."""
        self._end()

    # --- validation and test ------------------------------------------------------------------------------------

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Begin a line, unless a training has one."""
        if trainer.state.fn == "validate":
            self._begin()

    def on_validation_batch_start(self, *_: Any, **__: Any) -> None:
        """There is one loader, and one line."""

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,  # noqa: ARG002
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show how far the validation is."""
        if not trainer.sanity_checking:
            self.has_dataloader_changed(dataloader_idx)
            self._evaluated(trainer, "validation", batch_idx + 1, self.total_val_batches_current_dataloader)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Note that its scores are those of this epoch."""
        self.reset_dataloader_idx_tracker()
        if trainer.state.fn == "validate":
            self._end()
        elif not trainer.sanity_checking:
            self._validated_epoch = trainer.current_epoch

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Begin the line."""
        self._begin()

    def on_test_batch_start(self, *_: Any, **__: Any) -> None:
        """There is one loader, and one line."""

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: object,  # noqa: ARG002
        batch: object,  # noqa: ARG002
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show how far the test is."""
        self.has_dataloader_changed(dataloader_idx)
        self._evaluated(trainer, "test", batch_idx + 1, self.total_test_batches_current_dataloader)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Clear the line."""
        self._end()
        self.reset_dataloader_idx_tracker()

    def print(self, *args: Any, sep: str = " ", **kwargs: Any) -> None:
        """Print above the line, as Lightning's modules do it."""
        print(*args, sep=sep, **kwargs)

    # --- the line -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._end()
        if self.is_disabled:
            return
        self._bar = Tqdm(leave=False, file=sys.stderr, bar_format="{desc}", ncols=0, nrows=NUM_ROWS)
        self._above.enter_context(notes_above(self._bar))
        self._changed, self._started = 0.0, time.monotonic()

    def _end(self) -> None:
        self._above.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _is_due(self, done: int, total: float) -> bool:
        is_last = done == total
        is_time = done % self.refresh_rate == 0 and time.monotonic() - self._changed >= SECONDS_BETWEEN
        return self._bar is not None and (is_last or is_time)

    def _show(self, trainer: Trainer, place: str) -> None:
        if self._bar is not None:
            self._write(self._progress(trainer, place=place).line(num_columns(sys.stderr)))

    def _write(self, line: str) -> None:
        assert self._bar is not None
        self._changed = time.monotonic()
        self._bar.set_description_str(line)

    def _evaluated(self, trainer: Trainer, what: str, done: int, total: float) -> None:
        """Show a validation or test: within the line of the training, or alone."""
        if not self._is_due(done, total):
            return
        place = f"{what} {self._place(done, total)}"
        if trainer.state.fn == "fit":
            self._show(trainer, place)
            return
        words = [place]
        if math.isfinite(total) and done < total:
            words.append(f"ETA {clock((time.monotonic() - self._started) / done * (total - done))}")
        self._write(SEPARATOR.join(words)[: (num_columns(sys.stderr) or sys.maxsize) - 1])

    @staticmethod
    def _place(done: int, total: float) -> str:
        return f"{done}/{total:.0f}" if math.isfinite(total) else str(done)

    def _progress(self, trainer: Trainer, *, place: str | None = None, ended: bool = False) -> Progress:
        total = num_epochs(trainer)
        left = self._pace.seconds_left(
            time.monotonic(), num_epochs=total - self._first_epoch, batches_of_epoch=self.total_train_batches
        )
        has_scores = not ended or self._validated_epoch == trainer.current_epoch  # else they are of an earlier epoch
        return progress_of(trainer, place=place, seconds_left=left, has_scores=has_scores, ended=ended)
