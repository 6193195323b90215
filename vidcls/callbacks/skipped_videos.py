"""Training videos that could not be read -> warnings, a count for each epoch, and ``skipped.csv``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from vidcls.errors import DatasetError
from vidcls.files import write_csv
from vidcls.loading import VideoDataModule
from vidcls.runs.folder import SKIPPED_FILE
from vidcls.types import Batch


class SkippedVideos(Callback):
    """Lists and counts the training videos that were left out, where ``bad_videos: skip`` allows that.

    Each file is named once in a warning, by the process that met it; where a process has met more than the data
    module's ``max_bad_share`` of the training videos, the training ends. After every epoch ``train/skipped_videos`` is
    logged, how often a video was left out in it, and ``skipped.csv`` (``path,first_epoch,times``) is written into the
    run folder; both count all processes. The counts go on when a training is resumed; of an epoch that was interrupted
    on several processes, only the first one's share is kept.

    Args:
        run: the run folder; default: the trainer's ``default_root_dir``.
    """

    def __init__(self, run: Path | None = None) -> None:
        self.run = run
        self.first_epoch: dict[str, int] = {}
        self.times: dict[str, int] = {}
        self._met: list[str] = []  # in this epoch, by this process
        self._warned: set[str] = set()

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Take note of what the batch lacks.

        Raises:
            DatasetError: too many videos could not be read.
        """
        for path in batch.get("skipped", ()):
            self._met.append(path)
            if path not in self._warned:
                self._warned.add(path)
                warnings.warn(f"{path}: cannot be read and is skipped in the training", stacklevel=2)
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not self._met or not isinstance(data, VideoDataModule):
            return
        num_videos = len(data.split("train"))
        if len(self._warned) > data.max_bad_share * num_videos:
            raise DatasetError(
                f"{len(self._warned)} of {num_videos} training videos cannot be read, the last {self._met[-1]}: more "
                f"than --data.max_bad_share ({data.max_bad_share:g}): look with vidcls data check, or raise it"
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count over all processes, log and write."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, VideoDataModule) or data.bad_videos != "skip":
            return
        met = self._met_by_all(trainer.world_size)
        self._met = []
        for path in met:
            self.first_epoch.setdefault(path, trainer.current_epoch)
            self.times[path] = self.times.get(path, 0) + 1
        pl_module.log("train/skipped_videos", float(len(met)), rank_zero_only=True)
        if self.times and trainer.is_global_zero:
            write_csv(self._file(trainer), self._rows())

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Say how many there were."""
        if self.times:
            rank_zero_info(
                f"{len(self.times)} training videos could not be read and were skipped {sum(self.times.values())} "
                f"times: see {self._file(trainer)}"
            )

    def state_dict(self) -> dict[str, object]:
        """The counts, for the checkpoint."""
        return {"first_epoch": dict(self.first_epoch), "times": dict(self.times), "met": list(self._met)}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Go on from the counts of a checkpoint."""
        first_epoch, times, met = (state_dict[name] for name in ("first_epoch", "times", "met"))
        assert isinstance(first_epoch, dict)
        assert isinstance(times, dict)
        assert isinstance(met, list)
        self.first_epoch, self.times, self._met = dict(first_epoch), dict(times), list(met)

    def _met_by_all(self, world_size: int) -> list[str]:
        if world_size == 1:
            return self._met
        gathered: list[list[str]] = [[] for _ in range(world_size)]
        torch.distributed.all_gather_object(gathered, self._met)
        return [path for process in gathered for path in process]

    def _rows(self) -> Iterator[tuple[object, ...]]:
        yield "path", "first_epoch", "times"
        for path in sorted(self.times):
            yield path, self.first_epoch[path], self.times[path]

    def _file(self, trainer: Trainer) -> Path:
        return (self.run or Path(trainer.default_root_dir)) / SKIPPED_FILE
