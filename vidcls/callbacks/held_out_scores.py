"""The best validation of a training -> ``validation.csv``: scores of videos that the network was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from vidcls.callbacks.best_epoch import best_of
from vidcls.callbacks.progress_text import Best
from vidcls.callbacks.result_files import scored_videos
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.models.probe import Probe
from vidcls.runs.held_out import HeldOutFacts, write_held_out
from vidcls.training.results import VideoScores, collated_targets
from vidcls.types import MODEL_ROW, VideoRecord


class HeldOutScores(Callback):
    """Keeps the scores of the validation videos by the weights of the best epoch, one clip of each.

    While a network is trained they are written after each epoch that is the best so far; ``vidcls validate`` of
    ``best.ckpt`` writes them again. Of heads that were fitted to features it keeps those of their cross-validation.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._kept: Best | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, on the first process, where it is the best so far."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if (
            trainer.sanity_checking
            or not trainer.is_global_zero
            or not (isinstance(pl_module, VideoClassifier) and isinstance(data, VideoDataModule))
            or pl_module.held_out is None
            or has_seen_validation(pl_module)
        ):
            return
        epoch = None
        if trainer.state.fn == TrainerFn.FITTING:
            best = best_of(trainer)
            if best is None or best.epoch != trainer.current_epoch + 1 or best == self._kept:
                return  # of this epoch an earlier validation may have been better
            epoch, self._kept = best.epoch, best
        indices, scores = pl_module.held_out
        records, task = data.split("val"), pl_module.task
        targets = collated_targets([task.target(records[int(index)].classes) for index in indices])
        write_table(self.run, VideoScores(task, indices, targets, {MODEL_ROW: scores}), records, epoch=epoch)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what cross-validation found."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        found = cross_validated(pl_module, data) if isinstance(data, VideoDataModule) else None
        if found is not None and trainer.is_global_zero:
            write_table(self.run, found[0], found[1], is_cross_validated=True)


def has_seen_validation(model: VideoClassifier) -> bool:
    """Whether its heads were fitted to the features of the validation videos, too."""
    return isinstance(model, Probe) and model.fits_features and model.use_val


def cross_validated(model: LightningModule, data: VideoDataModule) -> tuple[VideoScores, list[VideoRecord]] | None:
    """The out-of-fold scores of heads that were fitted to features, and their videos; None for any other model."""
    if not isinstance(model, Probe) or not model.fits_features or model.fitted is None:
        return None
    skipped = set(model.fitted.skipped)
    records = [*data.split("train"), *(data.split("val") if model.use_val else ())]
    kept = [record for record in records if record.name not in skipped]
    scores = {MODEL_ROW: model.fitted.probabilities.float()}
    return VideoScores(model.task, torch.arange(len(kept)), model.fitted.targets, scores), kept


def write_table(
    run: Path,
    found: VideoScores,
    records: Sequence[VideoRecord],
    *,
    views: int = 1,
    epoch: int | None = None,
    is_cross_validated: bool = False,
) -> None:
    """Write the files of a run.

    Args:
        run: its folder.
        found: scores, as the network gives them.
        records: the list of videos into which they point.
        views: of each video, that were averaged.
        epoch: whose weights scored them.
        is_cross_validated: whether they are training videos.
    """
    videos = scored_videos(found, records)
    facts = HeldOutFacts(len(videos), videos.class_names, videos.task_name, views, epoch, is_cross_validated)
    write_held_out(run, videos, facts)
