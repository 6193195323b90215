"""A checkpoint -> a file that is whole and on the disk before it takes its name; or an error, and the old one stays."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Trainer

from vidcls.errors import CheckpointError
from vidcls.files import written_whole


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's own goes by way of the temporary folder, maybe on another disk, and does not wait for either."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, object],
        path: str | Path,
        storage_options: object = None,  # noqa: ARG002 - of remote storage
    ) -> None:
        """Write the file.

        Raises:
            CheckpointError: there is no room, or the folder cannot be written to; an older file is as it was.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        try:
            with written_whole(Path(path)) as temporary, temporary.open("wb") as file:
                file.write(content.getbuffer())
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be written ({error.strerror}): what was saved before is intact; make room, and go on "
                "with --ckpt_path last"
            ) from error


def write_whole_checkpoints(trainer: Trainer) -> None:
    """Let a trainer write its checkpoints so, unless it was given a plugin of the user's own."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = WholeCheckpointIO()
