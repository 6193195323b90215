"""The start of the training of a probe -> features of its videos from the store, and the heads chosen on them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from vidcls.callbacks.probe_features import probe_features
from vidcls.callbacks.probe_report import choice_lines, write_choice
from vidcls.console import duration, say
from vidcls.errors import ConfigurationError, DecodeError
from vidcls.features.encoding import Device
from vidcls.jobs import Pool, RayCluster
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import WAY_OUT
from vidcls.models.fitted_heads import FittedHeads
from vidcls.models.probe import Probe
from vidcls.probe import Choice, choose_heads
from vidcls.remote.places import Place
from vidcls.runs.folder import PROBE_FILE
from vidcls.types import VideoRecord

NUM_COLUMNS, NUM_ROWS = 60, 20
OTHER_PRECISIONS = ("16-true", "bf16-true", "64-true", "transformer-engine", "transformer-engine-float16")
LINE = "{desc} {n_fmt}/{total_fmt}  ETA {remaining}"


class ProbeFit(Callback):
    """Fits a :class:`vidcls.models.Probe` that learns from features, before the one epoch of its training.

    The features of the training videos, and of those of validation where these join them, come from the store; what it
    lacks is computed first. The heads are chosen by grouped cross-validation; ``probe.csv`` and ``probe.png`` have
    every candidate.
    Other models are left alone.

    Args:
        run: the run folder.
        features: the folder of the feature store; None for one in the cache.
        pool: who computes features; None for so many processes of this machine as load.
    """

    def __init__(self, run: Path, features: Place | None = None, *, pool: Pool | None = None) -> None:
        self.run = run
        self.features = features
        self.pool = pool

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Say that the heads are not trained by gradients.

        Raises:
            ConfigurationError: several processes, or data that is not of vidcls.
        """
        if stage != "fit" or not isinstance(pl_module, Probe):
            return
        pl_module.fits_features = pl_module.train_on == "features"
        if not pl_module.fits_features:
            return
        check_processes(trainer, pl_module)
        if not isinstance(trainer.datamodule, VideoDataModule):  # type: ignore[attr-defined]
            raise ConfigurationError(
                "a probe computes features of the videos of a VideoDataModule: pass one as datamodule, or build the "
                "probe with train_on='clips'"
            )
        # Heads that have seen the validation videos would be flattered by them: cross-validation takes their place.
        trainer.limit_val_batches = 0
        trainer.num_sanity_val_steps = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compute, choose and fit.

        Raises:
            DatasetError: a class has fewer than two videos that can be read.
            DecodeError: a video cannot be read, and none may be left out.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(pl_module, Probe) or not pl_module.fits_features:
            return
        records = [*data.split("train"), *(data.split("val") if pl_module.use_val else ())]
        device: Device = "cuda" if trainer.strategy.root_device.type == "cuda" else "cpu"
        if isinstance(self.pool, RayCluster):
            device = "cuda" if self.pool.num_gpus else "cpu"
        found = probe_features(pl_module, data, records, self.features, device=device, pool=self.pool)
        if found.failures and data.bad_videos == "error":
            name, reason = found.failures[0]
            raise DecodeError(
                f"{len(found.failures)} of {len(records)} training videos cannot be read, the first {name} ({reason}): "
                f"{WAY_OUT}",
                reason=reason,
            )
        kept = found.records
        targets = np.array([np.asarray(pl_module.task.target(record.classes)) for record in kept])  # (N,) or (N, K)
        choice = self._choose(found.tokens, kept, targets, pl_module, data)
        pl_module.take_heads(choice.head)
        skipped = [name for name, _ in found.failures]
        pl_module.fitted = FittedHeads(torch.from_numpy(choice.probabilities), torch.from_numpy(targets), skipped)
        write_choice(choice, self.run, pl_module.task)
        for line in choice_lines(choice, kept, targets, pl_module.task):
            say(line)

    def _choose(
        self,
        tokens: Sequence[dict[str, Tensor]],
        records: Sequence[VideoRecord],
        targets: NDArray[np.generic],
        model: Probe,
        data: VideoDataModule,
    ) -> Choice:
        started = time.monotonic()
        settings: dict[str, Any] = {"ncols": NUM_COLUMNS, "nrows": NUM_ROWS, "bar_format": LINE, "file": sys.stderr}
        with tqdm(desc="choosing heads", leave=False, disable=None, **settings) as bar:
            choice = choose_heads(
                tokens,
                targets.astype(np.intp),
                [record.group for record in records],
                model.choice,
                class_names=data.class_names,
                seed=data.seed,
                tell=say,
                progress=_progress(bar),
            )
        say(
            f"heads: {len(choice.rows)} candidates by {choice.num_folds}-fold cross-validation over {len(records)} "
            f"videos in {duration(time.monotonic() - started)}: {self.run / PROBE_FILE}"
        )
        return choice


def check_processes(trainer: Trainer, model: LightningModule) -> None:
    """Refuse what heads that are fitted to features cannot use: several processes, and weights of another precision.

    To be asked before the processes are started.

    Raises:
        ConfigurationError: says what makes it faster.
    """
    if isinstance(model, Probe) and model.train_on == "features" and trainer.world_size > 1:
        raise ConfigurationError(
            f"a probe is fitted by one process, not by {trainer.world_size}: pass --trainer.devices 1; more "
            "--data.num_workers compute features faster"
        )
    if isinstance(model, Probe) and model.train_on == "features" and str(trainer.precision) in OTHER_PRECISIONS:
        raise ConfigurationError(
            f"a probe computes features in single precision, not in {trainer.precision}: pass --trainer.precision 32, "
            "or one that is mixed"
        )


def _progress(bar: tqdm) -> Callable[[int, int], None]:
    def show(done: int, of: int) -> None:
        bar.total = of
        bar.update(done - bar.n)

    return show
