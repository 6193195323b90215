"""The state of a training -> a checkpoint file, whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from vidcls.files import atomic_write


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place, waits until it is on the disk, and then gives it its name.

    Lightning's own way writes to the folder for temporary files, which is often on another disk: from there the file is
    copied to its place, and a kill or a power cut meanwhile leaves half of it.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, object], path: str | Path, storage_options: object | None = None
    ) -> None:
        """Write the file; addresses such as ``s3://...`` and options for them are Lightning's to handle."""
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
        else:
            write_checkpoint(Path(path), checkpoint)


def write_checkpoint(path: Path, checkpoint: dict[str, object]) -> None:
    """Write what ``torch.load`` reads.

    Raises:
        OSError: the file cannot be written, such as on a full disk; what was there before is still there.
    """
    content = io.BytesIO()  # given a path, torch says of a full disk only that something failed
    torch.save(checkpoint, content)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())
