"""The figures of a run and the table of its test -> TensorBoard and MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.local_loggers import MlflowRun, TensorBoardRun
from vidcls.models.classifier import VideoClassifier
from vidcls.runs.folder import CONFUSION_FIGURE, CONFUSION_PAIRS_FILE, CURVES_FILE, SCORES_FILE, SUMMARY_FILE

OF_TRAINING = {"curves": CURVES_FILE}
OF_TEST = {"test/confusion": CONFUSION_FIGURE}
TABLES_OF_TEST = (SUMMARY_FILE, SCORES_FILE, CONFUSION_PAIRS_FILE)


class LocalMedia(Callback):
    """Adds the figures that a run has anyway to its TensorBoard or MLflow run, and does nothing where it has neither.

    After ``fit`` the curves, after a test the confusion matrix and the table of the test; MLflow gets the files of the
    test as well. What a run does not have, such as confusions where a video may have several classes, is left out.

    Args:
        run: the folder that has them.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Add the curves."""
        self._add(trainer, OF_TRAINING, ())

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add what the test found."""
        self._add(trainer, OF_TEST, TABLES_OF_TEST)
        scores = pl_module.test_scores if isinstance(pl_module, VideoClassifier) else None
        if scores is not None and trainer.is_global_zero:
            text = markdown(scores.table())
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardRun):
                    logger.experiment.add_text("test/results", text, trainer.global_step)
                    logger.experiment.flush()

    def _add(self, trainer: Trainer, figures: Mapping[str, str], tables: Sequence[str]) -> None:
        if not trainer.is_global_zero:
            return
        there = {title: self.run / name for title, name in figures.items() if (self.run / name).is_file()}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardRun):
                for title, file in there.items():
                    logger.experiment.add_image(title, _pixels(file), trainer.global_step, dataformats="HWC")
                logger.experiment.flush()
            elif isinstance(logger, MlflowRun):
                files = [*there.values(), *(self.run / name for name in tables if (self.run / name).is_file())]
                for file in files:
                    logger.experiment.log_artifact(str(logger.run_id), str(file))


def markdown(table: Mapping[str, Mapping[str, float]]) -> str:
    """The table of a test: a line for each part of the model, a column for each metric."""
    columns = list(next(iter(table.values())))
    rows = [["part", *columns], ["---"] * (len(columns) + 1)]
    rows += [[row, *(f"{values[column]:.4f}" for column in columns)] for row, values in table.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _pixels(file: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
