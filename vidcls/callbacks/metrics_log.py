"""Logged numbers -> ``metrics.csv`` in the run folder; a resumed run goes on in the same file."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from vidcls.files import naming, write_text


class MetricsLog(CSVLogger):
    """Lightning's csv logger, written into the run folder itself and continued after a resume.

    After each checkpoint the rows of the steps that it counts go to the file at once, so that a run that is killed
    later keeps them. Lightning logs the last of them, loss and learning rate of the step, right after the checkpoint; a
    kill just between loses these.

    Args:
        run: the run folder.
        resumed_at_step: optimiser steps in the checkpoint that the run goes on from: later rows of the file belong to
            steps that are taken again, and are dropped. None starts a new file.
    """

    def __init__(self, run: Path, *, resumed_at_step: int | None = None) -> None:
        super().__init__(save_dir=run, name="", version="", flush_logs_every_n_steps=20)
        self._resumed_at_step = resumed_at_step
        self._is_behind_checkpoint = False

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:  # noqa: ARG002
        """Write the rows so far, and the next one as soon as it comes."""
        self._is_behind_checkpoint = True
        self.save()

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Tensor | float], step: int | None = None) -> None:  # type: ignore[override]
        """One row; kept for a while, but not where a checkpoint counts its step."""
        super().log_metrics(metrics, step)
        if self._is_behind_checkpoint:
            self._is_behind_checkpoint = False
            self.save()

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer of the file, made when first used, on the first process alone."""
        if self._experiment is None:
            self._experiment = _ContinuedWriter(Path(self.log_dir), self._resumed_at_step)
        return cast("ExperimentWriter", self._experiment)

    def log_hyperparams(self, params: dict[str, object] | Namespace | None = None) -> None:
        """Nothing: the run folder has the whole configuration in config.yaml."""


class _ContinuedWriter(ExperimentWriter):
    def __init__(self, folder: Path, resumed_at_step: int | None) -> None:
        self._resumed_at_step = resumed_at_step
        super().__init__(str(folder))
        file = Path(self.metrics_file_path)
        if file.is_file():
            with file.open(newline="", encoding="utf-8") as handle:
                self.metrics_keys = list(csv.DictReader(handle).fieldnames or [])

    def save(self) -> None:
        """Append the rows since the last call."""
        with naming(Path(self.metrics_file_path)):
            super().save()

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Give the rows the new columns; Lightning's writer empties the file first, and a kill leaves it so."""
        file = Path(self.metrics_file_path)
        with file.open(newline="", encoding="utf-8") as handle:
            write_text(file, _table(fieldnames, csv.DictReader(handle)))

    def _check_log_dir_exists(self) -> None:
        """Keep the rows of the steps that the checkpoint has taken; Lightning's writer would delete the file."""
        file = Path(self.metrics_file_path)
        if not file.is_file():
            return
        if self._resumed_at_step is None:
            file.unlink()
            return
        with file.open(newline="", encoding="utf-8") as handle:
            whole_lines = [line for line in handle if line.endswith("\n")]  # a kill may have cut the last one off
        reader = csv.DictReader(whole_lines)
        kept = [row for row in reader if int(row["step"]) < self._resumed_at_step]
        write_text(file, _table(list(reader.fieldnames or []), kept))


def _table(fieldnames: list[str], rows: Iterable[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=fieldnames)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
