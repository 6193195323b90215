"""When epochs and batches ended -> how long the rest of a training will take."""

from __future__ import annotations

import math

from lightning.pytorch import Trainer


class Pace:
    """How fast a training goes, validation included.

    The first epoch starts workers and fills caches, so that it counts only until there is another. Until the first one
    has ended, its batches from the second on say how long an epoch is.
    """

    def __init__(self) -> None:
        self._epochs_seconds: list[float] = []
        self._epoch_started = 0.0
        self._is_running = False
        self._first_batch: tuple[int, float] | None = None
        self._batch: tuple[int, float] | None = None

    def start_epoch(self, now: float) -> None:
        """An epoch begins.

        Args:
            now: seconds on any clock that does not go back.
        """
        self._epoch_started = now
        self._is_running = True
        self._first_batch = self._batch = None

    def end_batch(self, num_batches: int, now: float) -> None:
        """So many batches of the epoch have been trained on."""
        self._batch = num_batches, now
        self._first_batch = self._first_batch or self._batch

    def end_epoch(self, now: float) -> None:
        """The epoch has ended, with its validation."""
        self._epochs_seconds.append(now - self._epoch_started)
        self._is_running = False

    @property
    def num_epochs(self) -> int:
        """Epochs that have ended."""
        return len(self._epochs_seconds)

    def epoch_seconds(self, batches_of_epoch: float) -> float | None:
        """How long an epoch takes; None where that is not known yet."""
        if self._epochs_seconds:
            counted = self._epochs_seconds[1:] or self._epochs_seconds
            return sum(counted) / len(counted)
        if self._batch is None or self._first_batch is None or self._batch[0] == self._first_batch[0]:
            return None
        (first, first_ended), (last, last_ended) = self._first_batch, self._batch
        return (last_ended - first_ended) / (last - first) * batches_of_epoch

    def seconds_left(self, now: float, *, num_epochs: float, batches_of_epoch: float) -> float | None:
        """How long the rest takes; None where that is not known.

        Args:
            now: on the clock of the others.
            num_epochs: that this training has in all, beginning with the first that was counted here.
            batches_of_epoch: of one process.
        """
        seconds = self.epoch_seconds(batches_of_epoch)
        if seconds is None or not math.isfinite(num_epochs) or not math.isfinite(seconds):
            return None
        running = min(now - self._epoch_started, seconds) if self._is_running else 0.0
        return max(0.0, (num_epochs - self.num_epochs) * seconds - running)


def num_epochs(trainer: Trainer) -> float:
    """Of the whole training, a fraction where it ends after steps; infinite where it has no end."""
    by_epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs > 0 else math.inf
    if trainer.max_steps <= 0 or not trainer.num_training_batches or math.isinf(trainer.num_training_batches):
        return by_epochs
    steps_of_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
    return min(by_epochs, trainer.max_steps / steps_of_epoch)
