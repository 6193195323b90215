"""A training or a test -> a copy of its run folder elsewhere, up to date after every checkpoint."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.console import say
from vidcls.errors import ConfigurationError, RemoteError, first_line
from vidcls.remote.places import Place
from vidcls.runs.folder import CHECKPOINTS
from vidcls.runs.run_copy import RunCopy, Stamp


class RunCopied(Callback):
    """Sends the files of a run to another place when a checkpoint was written, when an epoch begins, and, by
    `finish`, at the end.

    A place that nothing can be written to is refused before the first step. One that cannot be reached later ends no
    training: a line says so, and the next checkpoint tries again. Other processes wait while a file is sent.

    Args:
        run: the run folder.
        place: a folder or an address.
    """

    def __init__(self, run: Path, place: Place) -> None:
        self._copy = RunCopy(run, place)
        self._is_first = False
        self._tried: dict[str, Stamp | None] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Note which process this is: one of them sends."""
        self._is_first = trainer.is_global_zero

    def on_train_start(self, *_: object) -> None:
        """Send what there is.

        Raises:
            ConfigurationError: it cannot be sent.
        """
        if self._is_first:
            try:
                self._copy.send()
            except (RemoteError, OSError) as error:
                raise ConfigurationError(f"--copy_run: {first_line(error)}") from error

    def on_train_batch_start(self, *_: object) -> None:
        """Send what the last batch has left: checkpoints are written at the end of one."""
        if self._is_first and self._copy.stamps(CHECKPOINTS) != self._tried:
            self._send()

    def on_train_epoch_start(self, *_: object) -> None:
        """Send the curves too."""
        if self._is_first:
            self._send()

    def finish(self) -> None:
        """Send the rest, once the loggers have written theirs and whatever ended the run has ended it."""
        if self._is_first and self._copy.changed() and self._send():
            say(f"copied to {self._copy.place}")

    def _send(self) -> bool:
        self._tried = self._copy.stamps(CHECKPOINTS)
        try:
            self._copy.send()
        except (RemoteError, OSError) as error:
            missing = len(self._copy.changed())
            say(f"the copy of the run lacks {missing} files as they are now: {first_line(error)}")
            return False
        return True
