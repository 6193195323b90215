"""A model and a loader of views -> the scores of its videos, outside of Lightning's loops, on all processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch import Trainer
from tqdm import tqdm

from vidcls.inference import HasParts, Scorer
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.training.results import VideoScores, joined, read_alone
from vidcls.training.tally import ScoreTally
from vidcls.types import MODEL_ROW, Batch

NUM_COLUMNS, NUM_ROWS = 60, 20  # one line, on terminals that are narrow or do not know their size
LINE = "{desc} {n_fmt}/{total_fmt}  ETA {remaining}"


@torch.inference_mode()
def video_scores_of(
    model: VideoClassifier, data: VideoDataModule, loader: Iterable[Batch], trainer: Trainer, *, title: str
) -> VideoScores | None:
    """The scores by row with all views of the test, as the network gives them, of the videos that could be read.

    None where none could.

    Args:
        model: on its device.
        data: says how batches as loaded become the input of the network.
        loader: of this process's share.
        trainer: says which processes there are.
        title: of the progress bar.

    Raises:
        DivergedError: a video has scores that are not finite.
    """
    was_training = model.training
    model.eval()
    scorer = Scorer.of(model, data.input_settings)
    tally = ScoreTally(model.task, model.parts if isinstance(model, HasParts) else (), model.score_rule)
    told = None if trainer.is_global_zero else True  # None: where it is a terminal
    bar: dict[str, Any] = {"ncols": NUM_COLUMNS, "nrows": NUM_ROWS, "bar_format": LINE}
    for batch in tqdm(loader, desc=title, leave=False, mininterval=1, disable=told, **bar):
        if len(batch["label"]) == 0:  # no file of it could be read, or there are more processes than batches
            continue
        by_view = scorer.by_view(batch["streams"])
        for scores in by_view.values():
            model.finite.note_scores(scores.sum(dim=(1, 2)).cpu(), batch["index"].cpu())
        model.finite.check_scores(model, "val")
        tally.add(batch, by_view[MODEL_ROW], scorer.averaged(by_view))
    model.train(was_training)
    shards, unread = tally.gathered(trainer.world_size)
    return read_alone(joined(shards, unread)) if shards else None
