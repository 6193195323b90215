"""Callbacks of a training -> one line before its first step where one could not do what it is for."""

from __future__ import annotations

from collections.abc import Iterable

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning, EarlyStopping, ModelCheckpoint, StochasticWeightAveraging

from vidcls.callbacks.run_checkpoints import BestCheckpoint
from vidcls.errors import ConfigurationError
from vidcls.layers.settings import BATCH_NORMS
from vidcls.loading import VideoDataModule
from vidcls.models import VideoClassifier

FOR_CHECKPOINTS = ("epoch", "step")  # which Lightning adds for them alone
KNOWN_PACKAGES = ("vidcls.", "lightning.")


class CallbackChecks(Callback):
    """Refuses callbacks of Lightning that would fail after an epoch, which may have taken a day, or do nothing.

    Names that a callback watches are held against those that are logged. Where the model or a callback is a class of
    the user's own, which may log anything, this says nothing about names.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Look at every callback.

        Raises:
            ConfigurationError: with what to use in place of one, or with the names that are logged.
        """
        if stage != "fit" or not isinstance(pl_module, VideoClassifier):
            return
        for callback in _callbacks(trainer):
            _check_kind(callback, pl_module)
        if _all_known([pl_module, *_callbacks(trainer)]):
            logged = [*pl_module.logged_names, *_of_callbacks(trainer)]
            for callback in _callbacks(trainer):
                _check_monitor(callback, logged, is_validated=trainer.limit_val_batches != 0)


def _check_kind(callback: Callback, model: VideoClassifier) -> None:
    if type(callback).__module__.startswith("lightning.") and isinstance(callback, BaseFinetuning):
        raise ConfigurationError(
            f"{type(callback).__name__}: adds weights to an optimiser whose schedule does not know them: use "
            "--model.transfer.freeze and --model.transfer.unfreeze in its place"
        )
    has_batch_norm = any(isinstance(module, BATCH_NORMS) for module in model.modules())
    if isinstance(callback, StochasticWeightAveraging) and not has_batch_norm:
        raise ConfigurationError(
            "StochasticWeightAveraging: averages a network without batch norm after its last checkpoint, which would "
            "not have the average: use --trainer ema, or WeightAveraging, in its place"
        )


def _check_monitor(callback: Callback, logged: list[str], *, is_validated: bool) -> None:
    monitor = getattr(callback, "monitor", None)
    if not isinstance(monitor, str) or monitor.startswith("lr-"):
        return
    allowed = [*logged, *(FOR_CHECKPOINTS if isinstance(callback, ModelCheckpoint) else ())]
    if isinstance(callback, EarlyStopping):
        if not callback.strict:
            return
        allowed = [name for name in allowed if is_validated or not name.startswith("val/")]
    if monitor not in allowed:
        option = f"--monitor {monitor}:" if isinstance(callback, BestCheckpoint) else ""
        what = option or f"{type(callback).__name__}: monitor {monitor!r}"
        raise ConfigurationError(f"{what} is not measured: use one of {', '.join(allowed)}")


def _callbacks(trainer: Trainer) -> list[Callback]:
    return trainer.callbacks  # type: ignore[attr-defined]


def _all_known(parts: Iterable[object]) -> bool:
    return all(type(part).__module__.startswith(KNOWN_PACKAGES) for part in parts)


def _of_callbacks(trainer: Trainer) -> list[str]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    return ["train/skipped_videos"] if isinstance(data, VideoDataModule) and data.bad_videos == "skip" else []
