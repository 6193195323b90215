"""A training -> ``run.json``: where it ran, with which versions and code, how fast, and how long it waited for data."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from vidcls.datasets.record_facts import known_groups
from vidcls.loading import VideoDataModule
from vidcls.loading.training_copies import AUTO
from vidcls.runs.trainings import read_trainings, write_trainings
from vidcls.training.code_state import git_state, vidcls_code
from vidcls.training.machine import this_machine
from vidcls.types import Batch, sees

SECONDS_BETWEEN = 5.0  # from one showing in the progress line to the next
HINT_SHARE = 0.2
WORTH_SAYING = 1.5  # times as fast


@dataclass
class BatchTimes:
    """Of the training batches of the first process, from the second of each epoch on."""

    waiting_seconds: float = 0.0
    working_seconds: float = 0.0
    num_clips: int = 0

    def add(self, waited: float, worked: float, num_clips: int) -> None:
        """Count a batch."""
        self.waiting_seconds += waited
        self.working_seconds += worked
        self.num_clips += num_clips

    @property
    def waiting_share(self) -> float | None:
        """Of the time; None before the second batch."""
        total = self.waiting_seconds + self.working_seconds
        return self.waiting_seconds / total if total else None

    @property
    def clips_per_second(self) -> float | None:
        """Of all processes together; None before the second batch."""
        total = self.waiting_seconds + self.working_seconds
        return self.num_clips / total if total else None


class RunFacts(Callback):
    """Writes ``run.json`` after each epoch; a resumed training adds to the list, one that cannot start leaves nothing.

    The progress line shows ``clips/s`` and ``waiting`` of the last seconds; where more than a fifth of that time is
    waiting, one line says once what helps.

    ``waiting_share`` is the share of the time of the training batches in which the loader had none ready; the first
    batch of each epoch, for which workers are started, does not count. ``clips_per_second`` is that of all processes
    together.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._facts: dict[str, object] = {}
        self.epoch_times = BatchTimes()
        """Of the running epoch."""
        self.shown_times: BatchTimes | None = None
        """Of the last seconds, as the progress line shows them; None in the first ones of a training."""
        self._times, self._recent = BatchTimes(), BatchTimes()
        self._started = self._shown = self._waited = 0.0
        self._hint_given = False
        self._earlier: list[Mapping[str, object]] = []
        self._from_epoch = 0
        self._batch_ended: float | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what is known now."""
        self._times, self._recent, self._batch_ended = BatchTimes(), BatchTimes(), None
        self.shown_times = None
        self._started = self._shown = time.monotonic()
        self._hint_given = False
        if not trainer.is_global_zero:
            return
        self._earlier = read_trainings(self.run) if trainer.ckpt_path is not None else []
        parameters = list(pl_module.parameters())
        self._facts = {
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": ["vidcls", *sys.argv[1:]],
            "machine": this_machine().to_dict(),
            "vidcls": vidcls_code(),
            "git": git_state(Path.cwd()),
            "num_processes": trainer.world_size,
            "precision": str(trainer.precision),
            "num_parameters": sum(p.numel() for p in parameters),
            "num_trained_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "groups": _known_groups(trainer),
            "prepared": _prepared(trainer),
        }

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where the training begins: by now a checkpoint has been restored."""
        self._from_epoch = trainer.current_epoch
        self._facts |= {"from_step": trainer.global_step, "from_epoch": trainer.current_epoch}
        scaled = getattr(pl_module, "scaled_lr", None)
        if scaled is not None:
            self._facts["learning_rate"] = scaled.to_dict()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """The wait for the first batch is one for the workers to start."""
        self._batch_ended = None
        self.epoch_times = BatchTimes()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """What a validation in the middle of an epoch takes is no waiting."""
        self._batch_ended = None

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count the batch."""
        now = time.monotonic()
        waited_before, self._waited = self._waited, _waited_seconds(trainer)
        if self._batch_ended is not None:
            waited = self._waited - waited_before
            worked = now - self._batch_ended - waited
            for times in (self._times, self._recent, self.epoch_times):
                times.add(waited, worked, len(batch["label"]) * trainer.world_size)
            if now - self._shown >= SECONDS_BETWEEN:
                self._show(trainer, pl_module)
        self._batch_ended = now

    def _show(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the speed of the last seconds into the progress line, and say once where the loader is too slow."""
        share = self._recent.waiting_share
        assert share is not None
        pl_module.log("clips/s", round(self._recent.clips_per_second or 0.0, 1), prog_bar=True, logger=False)
        pl_module.log("waiting", round(share, 2), prog_bar=True, logger=False)
        if not self._hint_given and share > HINT_SHARE:
            self._hint_given = True
            rank_zero_info(_hint(share, trainer))
        self.shown_times, self._recent, self._shown = self._recent, BatchTimes(), time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write what has been counted, so that a stop loses no more than an epoch of it."""
        if trainer.is_global_zero:
            self._write(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write the whole; a training that had ended before, so that none of its hooks was called, adds nothing."""
        if trainer.is_global_zero and "from_step" in self._facts:
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        rate, share = self._times.clips_per_second, self._times.waiting_share
        counted = {
            "to_step": trainer.global_step,
            "to_epoch": trainer.current_epoch,
            "epochs": trainer.current_epoch - self._from_epoch,
            "seconds": round(time.monotonic() - self._started, 1),
            "clips_per_second": None if rate is None else round(rate, 2),
            "waiting_share": None if share is None else round(share, 4),
        }
        write_trainings(self.run, [*self._earlier, {**self._facts, **counted}])


def _waited_seconds(trainer: Trainer) -> float:
    """What the data module counted; 0 where the batches come from elsewhere."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    return data.waited_seconds if isinstance(data, VideoDataModule) else 0.0


def _known_groups(trainer: Trainer) -> dict[str, int] | None:
    """What is known of the groups of the data; None where it comes from elsewhere."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, VideoDataModule):
        return None
    return known_groups(data.records).to_dict()


def _prepared(trainer: Trainer) -> dict[str, object] | None:
    """The copy that is read in place of the videos themselves; None where there is none."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    in_use = data.copy_in_use if isinstance(data, VideoDataModule) else None
    return None if in_use is None else in_use.copy.to_dict()


def _hint(share: float, trainer: Trainer) -> str:
    """What helps a loader that is too slow."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    found = f"the network waited for data in {share:.0%} of the last seconds"
    if not isinstance(data, VideoDataModule):
        return f"{found}: more loader workers, or a small copy of the videos (vidcls data prepare), help"
    helps = []
    if data.num_workers < this_machine().num_cores:
        helps.append(f"more --data.num_workers (now {data.num_workers}, and {this_machine().num_cores} cores)")
    was_declined = data.prepare == AUTO  # found above not to pay
    if sees(data.input_settings.streams, "audio"):
        pass  # copies have no sound
    elif data.copy_in_use is None and data.flow_source is None and not was_declined:
        gain = 1 / max(1 - share, 0.01)
        times = f"; up to {gain:.0f} times as fast" if gain >= WORTH_SAYING else ""
        helps.append(f"--data.prepare {AUTO} (trains on a small copy, as of vidcls data prepare{times})")
    elif data.copy_in_use is None and not was_declined:
        helps.append("a small copy of the videos (vidcls data prepare)")
    if data.input_settings.decoder != "torchcodec":
        helps.append("--data.decoder torchcodec")
    return f"{found}; loading may be made faster by {' or '.join(helps)}" if helps else found
