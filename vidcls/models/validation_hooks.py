"""The validation of a classifier: one clip of each video -> loss and metrics, of the model and of its parts."""

from __future__ import annotations

import warnings
from typing import cast

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection

from vidcls.models.scored_module import ScoredModule
from vidcls.training.results import collated_targets
from vidcls.types import MODEL_ROW, Batch


class ValidationHooks(ScoredModule):
    """What Lightning asks of a module about a validation."""

    val_loss: MeanMetric
    val_metrics: MetricCollection
    _part_metrics: torch.nn.ModuleDict
    validated: dict[int, bool]
    """Whether the model was right in the last validation, by the position of the video in its list."""
    right_videos: list[tuple[Tensor, Tensor]]
    """Of the batches of the running one on this process: positions ``(B,)``, and whether the model was right."""
    held_out: tuple[Tensor, Tensor] | None
    """Of the last validation of a training: positions ``(N,)`` in order, and probabilities ``(N, K)`` of the model."""
    scored_videos: list[tuple[Tensor, Tensor]]
    """Of the batches of the running one on this process: the same two, where they are computed."""

    def on_validation_start(self) -> None:
        """Validate no weights of a training that has diverged."""
        self.finite.check_losses(self)
        self.right_videos, self.scored_videos = [], []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Count the answers of the model and of its parts; videos that could not be read count as wrong."""
        self._count_unread(batch)
        if len(batch["label"]) == 0:  # there are more processes than batches, or no video could be read
            return
        rows, targets = self.scorer.logits(batch["streams"]), batch["label"]
        for logits in rows.values():
            self.finite.note_scores(logits.float().logsumexp(dim=-1), batch.get("index", 0))
        self.val_loss.update(self.task.loss_by_video(rows[MODEL_ROW].float(), targets))
        self.task.count(self.val_metrics, rows[MODEL_ROW], targets)
        if "index" in batch:
            probabilities = self.task.probabilities(rows[MODEL_ROW])
            self.right_videos.append((batch["index"], self.task.is_correct(probabilities, targets)))
            self.scored_videos.append((batch["index"], probabilities))
        for part, metrics in self._metrics_by_part.items():
            self.task.count(metrics, rows[part], targets)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over the validation videos.

        Raises:
            DivergedError: a video has scores that are not finite; CheckpointError outside of a training.
        """
        self.finite.check_scores(self, "val")
        for metrics in (self.val_metrics, *self._metrics_by_part.values()):
            self.log_dict(metrics.compute(), prog_bar=metrics is self.val_metrics)
            metrics.reset()
        self.validated = self._gathered()
        self.held_out = None if self.trainer.sanity_checking else self._all_scores()
        self.log("val/loss", self.val_loss.compute())
        self.val_loss.reset()

    def _gathered(self) -> dict[int, bool]:
        """Whether the model was right by position, from all processes."""
        mine = {
            index: right
            for indices, is_correct in self.right_videos
            for index, right in zip(indices.tolist(), is_correct.tolist(), strict=True)
        }
        self.right_videos = []
        gathered = [mine] * self.trainer.world_size
        if len(gathered) > 1:
            torch.distributed.all_gather_object(gathered, mine)
        return {index: right for part in gathered for index, right in part.items()}

    def _all_scores(self) -> tuple[Tensor, Tensor] | None:
        """The scores of all processes, in the order of the list; None where no video has any."""
        found, self.scored_videos = self.scored_videos, []
        mine = tuple(torch.cat(column).cpu() for column in zip(*found, strict=True)) if found else None
        gathered = [mine] * self.trainer.world_size
        if len(gathered) > 1:
            torch.distributed.all_gather_object(gathered, mine)
        shards = [shard for shard in gathered if shard is not None]
        if not shards:
            return None
        indices, scores = (torch.cat(column) for column in zip(*shards, strict=True))
        order = indices.argsort()
        return indices[order], scores[order]

    def _count_unread(self, batch: Batch) -> None:
        unread = batch.get("unread", ())
        for _, target, reason in unread:
            warnings.warn(f"{reason}: {'is not counted' if target is None else 'counts as wrong'}", stacklevel=2)
        counted = [target for _, target, _ in unread if target is not None]
        if counted:
            targets = collated_targets(counted).to(self.device)
            indices = [index for index, target, _ in unread if target is not None]
            wrong = self.task.wrong_scores(targets)
            self.right_videos.append((torch.tensor(indices), torch.zeros(len(indices), dtype=torch.bool)))
            for metrics in (self.val_metrics, *self._metrics_by_part.values()):
                metrics.update(wrong, targets)

    @property
    def _metrics_by_part(self) -> dict[str, MetricCollection]:
        return {part: cast(MetricCollection, metrics) for part, metrics in self._part_metrics.items()}
