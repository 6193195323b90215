"""Processes on several nodes -> an error where they do not see one and the same run folder."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.errors import ConfigurationError

MOST_SECONDS = 30.0  # until a network file system shows a new file on the other nodes
POLL_SECONDS = 0.2


class SharedFolder(Callback):
    """Refuses a training on several nodes whose run folder is not on a disk that all of them share.

    Such a training would save on one node what it looks for on another one when it is resumed.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Look for a file that the first process writes.

        Raises:
            ConfigurationError: on all processes, where one does not see it.
        """
        if trainer.num_nodes == 1 or trainer.world_size == 1:
            return
        marker = self.run / str(trainer.strategy.broadcast(f".seen_by_all_nodes_{secrets.token_hex(8)}"))
        try:
            if trainer.is_global_zero:
                self.run.mkdir(parents=True, exist_ok=True)
                marker.touch()
            is_seen = _appears(marker)
            is_seen_by_all = trainer.strategy.reduce_boolean_decision(is_seen, all=True)
        finally:
            if trainer.is_global_zero:
                marker.unlink(missing_ok=True)
        if not is_seen_by_all:
            where = "this node does not see what the first one writes there" if not is_seen else "not all nodes see it"
            raise ConfigurationError(
                f"run folder {self.run}: {where}: pass --run_dir with a folder on a disk that all nodes share"
            )


def _appears(marker: Path) -> bool:
    until = time.monotonic() + MOST_SECONDS
    while not marker.exists():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True
