"""What is no curve -> Weights & Biases: confusion matrices, videos with predictions, tables, the best checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from numpy.typing import NDArray
from torch import Tensor

from vidcls.callbacks.pictures import draw_confusion_matrix
from vidcls.callbacks.result_files import scored_videos
from vidcls.callbacks.wandb_run import WandbRun, as_extra
from vidcls.callbacks.wandb_samples import log_samples, scores_of
from vidcls.loading import VideoDataModule
from vidcls.models import VideoClassifier, load_classifier
from vidcls.models.checkpoint import FACTS_KEY
from vidcls.report.choice import evenly
from vidcls.runs.confusions import CONFUSION_COLUMNS, worst_confusions
from vidcls.runs.folder import BEST
from vidcls.types import MODEL_ROW

MOST_WORST = 100  # rows in the table of the most frequent confusions


class WandbMedia(Callback):
    """Adds to the run of a :class:`WandbRun`, and does nothing where the trainer has none.

    At the end of ``fit``: the confusion matrix of the last validation, validation videos with the answers of the best
    checkpoint (the model as it is, where none was kept), and that checkpoint as an artifact. After a test: its table,
    its confusion matrix, and test videos with their answers, the most confident errors first. The id of the run is
    kept in every checkpoint.

    Args:
        num_samples: videos in each table of samples.
    """

    def __init__(self, *, num_samples: int = 8) -> None:
        self.num_samples = num_samples
        self._confusion: NDArray[np.int64] | None = None  # of the last validation of fit, over all processes

    def on_save_checkpoint(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        checkpoint: dict[str, object],
    ) -> None:
        """Keep the id of the run."""
        logger = wandb_run(trainer)
        facts = checkpoint.setdefault(FACTS_KEY, {})
        assert isinstance(facts, dict)
        if logger is not None and logger.version is not None:
            facts["wandb_run_id"] = logger.version

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the confusion matrix before the model resets it; all processes take part."""
        if wandb_run(trainer) is None or trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        if isinstance(pl_module, VideoClassifier):
            counts = pl_module.task.confusion_in(pl_module.val_metrics)
            if counts is None:
                return
            summed = trainer.strategy.reduce(counts, reduce_op="sum")
            assert isinstance(summed, Tensor)
            self._confusion = summed.cpu().numpy()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what the test found."""
        logger = wandb_run(trainer)
        if logger is None or not trainer.is_global_zero or not isinstance(pl_module, VideoClassifier):
            return
        import wandb

        scores = pl_module.test_scores
        assert scores is not None
        table = scores.table()
        metrics = list(table[MODEL_ROW])
        results = wandb.Table(columns=["part", *metrics], data=[[row, *table[row].values()] for row in table])
        logger.experiment.log({"test/results": results, "trainer/global_step": trainer.global_step})
        answers = scores.scores[MODEL_ROW]
        with as_extra("the confusion matrix of the test was"):
            counts = scores.task.confusion(answers.numpy(), scores.labels.numpy())
            if counts is not None:
                log_confusion(logger, "test", counts, scores.class_names, step=trainer.global_step)
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, VideoDataModule):
            records = data.split("test")
            videos = scored_videos(scores, records)
            unread = {video.index for video in scores.unread}
            ranked = [*videos.most_confident_errors(), *videos.least_confident_correct()]
            chosen = [place for place in ranked if int(scores.indices[place]) not in unread][: self.num_samples]
            shown = [records[int(scores.indices[position])] for position in chosen]
            with as_extra("test videos were"):
                log_samples(
                    logger,
                    "test",
                    shown,
                    answers[chosen],
                    scores.task,
                    step=trainer.global_step,
                    decoder=data.input_settings.decoder,
                    known_bad=data.known_bad,
                )

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log what the training came to, when every other callback has finished with the checkpoints."""
        logger = wandb_run(trainer)
        if stage != "fit" or logger is None or not trainer.is_global_zero or not isinstance(pl_module, VideoClassifier):
            return
        if self._confusion is not None:
            with as_extra("the confusion matrix of the validation was"):
                log_confusion(logger, "val", self._confusion, pl_module.class_names, step=trainer.global_step)
        best = best_checkpoint(trainer)
        if best is not None:
            with as_extra("the best checkpoint was"):
                log_checkpoint(logger, *best)
        data = trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, VideoDataModule):
            with as_extra("validation videos were"):
                records = data.split("val")
                chosen = evenly(len(records), self.num_samples)
                model = load_classifier(best[0]) if best is not None else pl_module
                answers = scores_of(model, data, chosen)
                shown = [records[index] for index in chosen]
                log_samples(
                    logger,
                    "val",
                    shown,
                    answers,
                    pl_module.task,
                    step=trainer.global_step,
                    decoder=data.input_settings.decoder,
                    known_bad=data.known_bad,
                )


def wandb_run(trainer: Trainer) -> WandbRun | None:
    """The W&B logger of a trainer, where it has one."""
    return next((logger for logger in trainer.loggers if isinstance(logger, WandbRun)), None)


def best_checkpoint(trainer: Trainer) -> tuple[Path, ModelCheckpoint] | None:
    """The file with the best weights and the callback that wrote it, where there is one."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.filename == BEST:
            path = Path(callback.best_model_path)
            return (path, callback) if path.is_file() else None
    return None


def log_checkpoint(logger: WandbRun, path: Path, callback: ModelCheckpoint) -> None:
    """Log a checkpoint as the artifact ``model-<run id>``, under the alias ``best``."""
    import wandb

    run = logger.experiment
    score = None if callback.best_model_score is None else float(callback.best_model_score)
    artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata={"monitor": callback.monitor, "score": score})
    artifact.add_file(str(path), name=path.name)
    run.log_artifact(artifact, aliases=["best"])


def log_confusion(
    logger: WandbRun, split: str, counts: NDArray[np.int64], class_names: Sequence[str], *, step: int
) -> None:
    """Log counts ``(K, K)``: a figure, a table of every cell that is not 0, and one of the most frequent confusions.

    They are called ``<split>/confusion``, ``<split>/confusion_counts`` and ``<split>/worst_confusions``.
    """
    import wandb

    cells = [
        [class_names[row], class_names[column], int(counts[row, column])]
        for row, column in np.argwhere(counts).tolist()
    ]
    worst = [list(astuple(row)) for row in worst_confusions(counts, class_names, most=MOST_WORST)]
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "confusion.png"
        draw_confusion_matrix(counts, class_names, picture)
        logger.experiment.log(
            {
                f"{split}/confusion": wandb.Image(str(picture)),
                f"{split}/confusion_counts": wandb.Table(columns=["label", "prediction", "videos"], data=cells),
                f"{split}/worst_confusions": wandb.Table(columns=list(CONFUSION_COLUMNS), data=worst),
                "trainer/global_step": step,
            }
        )
