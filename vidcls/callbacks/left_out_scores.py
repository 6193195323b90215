"""A test of a network that knows none of some classes -> the scores of the test videos of these."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.video_scores import video_scores_of
from vidcls.console import say
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.training.results import decided


class LeftOutScores(Callback):
    """Scores the test videos of ``--data.left_out_classes``, as the test scores the others, for ``ResultFiles``."""

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score, on every process."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (isinstance(data, VideoDataModule) and isinstance(pl_module, VideoClassifier)) or not data.left_out:
            return
        title = "scoring videos of classes that were left out"
        found = video_scores_of(pl_module, data, data.left_out_loader(), trainer, title=title)
        if found is None and trainer.is_global_zero:
            say(f"none of {len(data.left_out)} videos of classes that were left out could be read")
        pl_module.left_out_scores = None if found is None else decided(found, pl_module.decision)
