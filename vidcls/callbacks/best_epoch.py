"""Validations -> the best score so far and its epoch, counted from 1."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.progress_text import Best
from vidcls.callbacks.run_checkpoints import BestCheckpoint

RIGHT, WRONG, UNKNOWN = "1", "0", "-"


class BestEpoch(Callback):
    """Notes in which epoch the value was reached that :class:`BestCheckpoint` keeps the weights of.

    Attributes:
        best: None before the first validation.
        validated: whether the model was right in that epoch, by the position of the video in the list; empty where
            that is not known.
    """

    def __init__(self) -> None:
        self.best: Best | None = None
        self.validated: dict[int, bool] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Go on from what the checkpoints say: a best file that is not there counts no more."""
        checkpoint = best_checkpoint(trainer)
        if checkpoint is None or checkpoint.best_model_score is None:
            self.best, self.validated = None, {}
        elif self.best is None or self.best.value != float(checkpoint.best_model_score):
            self.best, self.validated = Best(float(checkpoint.best_model_score)), {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare."""
        checkpoint = best_checkpoint(trainer)
        if checkpoint is None or trainer.sanity_checking:
            return
        value = trainer.callback_metrics.get(str(checkpoint.monitor))
        if value is None:
            return
        now = Best(float(value), trainer.current_epoch + 1)
        sign = -1 if checkpoint.mode == "min" else 1
        if self.best is None or sign * now.value > sign * self.best.value:
            self.best = now
            self.validated = dict(getattr(pl_module, "validated", {}))

    def state_dict(self) -> dict[str, object]:
        """For the checkpoint."""
        if self.best is None:
            return {}
        signs = {None: UNKNOWN, True: RIGHT, False: WRONG}
        right = "".join(signs[self.validated.get(k)] for k in range(max(self.validated, default=-1) + 1))
        return {"value": self.best.value, "epoch": self.best.epoch, "validated": right}

    def load_state_dict(self, state_dict: Mapping[str, object]) -> None:
        """Of a checkpoint."""
        value, epoch = state_dict.get("value"), state_dict.get("epoch")
        self.best = Best(value, epoch if isinstance(epoch, int) else None) if isinstance(value, float) else None
        self.validated = {
            k: sign == RIGHT for k, sign in enumerate(str(state_dict.get("validated") or "")) if sign != UNKNOWN
        }


def best_checkpoint(trainer: Trainer) -> BestCheckpoint | None:
    """What keeps the best weights of the training."""
    return next((c for c in trainer.checkpoint_callbacks if isinstance(c, BestCheckpoint)), None)


def best_of(trainer: Trainer) -> Best | None:
    """The best validation of the training so far."""
    callback = best_epoch(trainer)
    return None if callback is None else callback.best


def best_epoch(trainer: Trainer) -> BestEpoch | None:
    """What notes the best validation of the training."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, BestEpoch)), None)
