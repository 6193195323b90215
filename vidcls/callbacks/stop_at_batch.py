"""A signal -> the end of a run after the batch that is computed, on all of its processes."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from vidcls.stop_signals import ENDING, drop_terminal
from vidcls.types import Batch

MOST_INTERRUPTS = 2
MOST_SECONDS = 60.0  # that one of several processes may take for a batch: the others may be gone


class StopAtBatch(Callback):
    """Ends a run after the batch in which SIGTERM, SIGHUP or Ctrl+C came; at the third Ctrl+C at once.

    Lightning's own answer to SIGTERM lets the processes of a run talk to each other from within the handler, which may
    be in the middle of another exchange: they wait for each other for good, or end in an abort. Here the first
    process alone decides; those that it started ignore the signal, and it ends them. Where a launcher started all of
    them, it signals all, and each ends by itself. SIGUSR1, by which SLURM has a job queued again, is Lightning's.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        """The signal that ended the run; None where none came."""
        self._num_interrupts = 0
        self._follows = False
        self._is_one_of_several = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Note who decides."""
        self.received, self._num_interrupts = None, 0
        self._is_one_of_several = trainer.world_size > 1
        environment = getattr(trainer.strategy, "cluster_environment", None)
        self._follows = trainer.local_rank > 0 and isinstance(environment, LightningEnvironment)

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Listen from here on, in place of Lightning, which has begun to just before."""
        self._listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Listen, also where there was no sanity check."""
        self._listen()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Listen, also where this is all."""
        self._listen()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Listen."""
        self._listen()

    def on_train_batch_end(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Tensor | dict[str, Tensor] | None,  # type: ignore[override]  # noqa: ARG002
        batch: Batch,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """End here."""
        self._end_where_asked()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:  # noqa: ARG002
        """End here."""
        self._end_where_asked()

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:  # noqa: ARG002
        """End here."""
        self._end_where_asked()

    def _listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, *ENDING):
            if signal.getsignal(number) != signal.SIG_IGN:  # as behind nohup
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if number not in (signal.SIGINT, signal.SIGTERM):
            drop_terminal()
        if self._follows:
            return
        if number == signal.SIGINT:  # raised right here it would be lost where Python swallows it, as in a destructor
            self._num_interrupts += 1
            if self._num_interrupts > MOST_INTERRUPTS:
                os._exit(128 + number)
            os.write(2, b"stopping after this batch; more Ctrl+C end at once\n" if self._num_interrupts == 1 else b"")
        if self.received is not None:
            return
        self.received = number
        if self._is_one_of_several:
            timer = threading.Timer(MOST_SECONDS, os._exit, (128 + number,))
            timer.daemon = True
            timer.start()

    def _end_where_asked(self) -> None:
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is not None:
            raise SIGTERMException


def was_stopped(trainer: Trainer, exception: BaseException) -> bool:
    """Whether a run ends because the user or the system asked for it."""
    asked = any(isinstance(c, StopAtBatch) and c.received is not None for c in trainer.callbacks)  # type: ignore[attr-defined]
    return asked or isinstance(exception, KeyboardInterrupt | SystemExit)
