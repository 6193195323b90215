"""Whatever finders leave -> the name of the checkpoint that a training goes on from."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

OF_FINDERS = (".lr_find_", ".scale_batch_size_")


class ResumedCheckpoint(Callback):
    """Puts ``trainer.ckpt_path`` back before others read it.

    Lightning's finders of a learning rate or a batch size, which run before all other callbacks, leave the name of
    their temporary file there.
    """

    def __init__(self) -> None:
        self._ckpt_path: str | Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Forget that of an earlier training."""
        self._ckpt_path = None

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, object]) -> None:  # noqa: ARG002
        """Note what the training goes on from."""
        if not is_of_finder(trainer.ckpt_path):
            self._ckpt_path = trainer.ckpt_path

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Put it back; finders have run by now."""
        if is_of_finder(trainer.ckpt_path):
            trainer.ckpt_path = self._ckpt_path


def is_of_finder(ckpt_path: str | Path | None) -> bool:
    """Whether a checkpoint is the temporary one of a finder."""
    return ckpt_path is not None and Path(ckpt_path).name.startswith(OF_FINDERS)
