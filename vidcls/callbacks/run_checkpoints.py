"""A training as it goes -> ``best.ckpt`` and ``last.ckpt`` in its run folder."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from vidcls.errors import ConfigurationError
from vidcls.runs.folder import BEST, LAST
from vidcls.spelling import did_you_mean
from vidcls.types import Batch


class BestCheckpoint(ModelCheckpoint):
    """Keeps ``best.ckpt``, after the validation with the best value so far.

    Args:
        folder: where the file lies.
        monitor: the logged number; the least is best where ``loss`` is in its name, else the greatest.
    """

    def __init__(self, folder: Path, *, monitor: str) -> None:
        super().__init__(
            dirpath=folder,
            filename=BEST,
            monitor=monitor,
            mode="min" if "loss" in monitor else "max",
            save_top_k=1,
            enable_version_counter=False,
        )

    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Refuse a name that validation does not log, before the first epoch instead of after it."""
        measured = sorted(name for name in trainer.callback_metrics if name.startswith("val/"))
        monitor = str(self.monitor)
        if measured and monitor not in measured and not monitor.startswith("train/"):
            hint = f"{found} " if (found := did_you_mean(monitor, measured)) else ""
            raise ConfigurationError(
                f"--monitor {monitor}: is not measured: {hint}{' ' if hint else ''}use one of {', '.join(measured)}"
            )

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Take over the best value so far, also where the run folder was moved; without its file it counts no more."""
        best = Path(str(self.dirpath)) / f"{BEST}{self.FILE_EXTENSION}"
        if state_dict.get("best_model_path") and best.is_file():
            state_dict = {
                **state_dict,
                "dirpath": self.dirpath,
                "best_model_path": str(best),
                "kth_best_model_path": str(best),
                "best_k_models": {str(best): state_dict["best_model_score"]},
            }
        super().load_state_dict(state_dict)


def last_checkpoints(folder: Path, *, every_n_steps: int | None) -> list[ModelCheckpoint]:
    """What keeps ``last.ckpt``: after every epoch, and where asked for after so many optimiser steps within one."""
    after_epochs = _AfterEpochs(
        dirpath=folder, filename=LAST, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False
    )
    if every_n_steps is None:
        return [after_epochs]
    within_epochs = _WithinEpochs(
        dirpath=folder, filename=LAST, every_n_train_steps=every_n_steps, enable_version_counter=False
    )
    return [within_epochs, after_epochs]


class _AfterEpochs(ModelCheckpoint):
    """A class of its own: Lightning tells the states of callbacks in a checkpoint apart by class and settings.

    So a ModelCheckpoint of the user's own with the same settings may stand beside it.
    """


class _WithinEpochs(ModelCheckpoint):
    """Saves after steps, but not at the end of an epoch: resumed from there, its validation would be left out."""

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor | dict[str, Tensor] | None,  # type: ignore[override]
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if not trainer.is_last_batch:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
