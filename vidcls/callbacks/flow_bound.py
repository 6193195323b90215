"""Flow that was loaded -> one line where its bound cuts much of it."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from vidcls.loading import VideoDataModule
from vidcls.types import Split


class FlowBound(Callback):
    """Says once, after the first epoch of a training and after a test, that more than 0.1 % of the flow was cut.

    Flow is counted as it is loaded: the values beyond the bound where it is computed, those at the bound where it is
    read from a store or estimated on the device. Of several processes the first one counts its own share.
    """

    def __init__(self) -> None:
        self._has_told = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Say it of the training clips, once."""
        if not self._has_told:
            self._has_told = True
            _tell(trainer, "train")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Say it of the test videos."""
        _tell(trainer, "test")


def _tell(trainer: Trainer, name: Split) -> None:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, VideoDataModule) or data.input_settings.flow_settings is None or not trainer.is_global_zero:
        return
    found = data.flow_saturation(name)
    if not found.is_high:
        return
    line = f"{found.describe(data.input_settings.flow_settings.bound_px)} ({name} split)"
    if data.flow_source is not None:
        line += ": vidcls data check names the videos, and the bound of the store that would hold them"
    elif name == "train":
        line += ": motion beyond it looks slower than it is; set --data.flow_settings.bound_px"
    rank_zero_info(line)
