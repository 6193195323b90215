"""The validation of a classifier: one clip of each video -> loss and metrics, of the model and of its parts."""

from __future__ import annotations

import warnings
from typing import cast

import torch
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection

from vidcls.models.scored_module import ScoredModule
from vidcls.training.results import MODEL_ROW, wrong_scores
from vidcls.types import Batch


class ValidationHooks(ScoredModule):
    """What Lightning asks of a module about a validation."""

    val_loss: MeanMetric
    val_metrics: MetricCollection
    _part_metrics: torch.nn.ModuleDict

    def on_validation_start(self) -> None:
        """Validate no weights of a training that has diverged."""
        self.finite.check_losses(self)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Count the answers of the model and of its parts; videos that could not be read count as wrong."""
        self._count_unread(batch)
        if len(batch["label"]) == 0:  # there are more processes than batches, or no video could be read
            return
        rows, targets = self.scorer.logits(batch["streams"]), batch["label"]
        for logits in rows.values():
            self.finite.note_scores(logits.float().logsumexp(dim=-1), batch.get("index", 0))
        self.val_loss.update(F.cross_entropy(rows[MODEL_ROW].float(), targets, reduction="none"))
        self.val_metrics.update(rows[MODEL_ROW].float(), targets)
        for part, metrics in self._metrics_by_part.items():
            metrics.update(rows[part].float(), targets)

    def on_validation_epoch_end(self) -> None:
        """Log the metrics over the validation videos.

        Raises:
            DivergedError: a video has scores that are not finite; CheckpointError outside of a training.
        """
        self.finite.check_scores(self, "val")
        for metrics in (self.val_metrics, *self._metrics_by_part.values()):
            self.log_dict(metrics.compute(), prog_bar=metrics is self.val_metrics)
            metrics.reset()
        self.log("val/loss", self.val_loss.compute())
        self.val_loss.reset()

    def _count_unread(self, batch: Batch) -> None:
        for _, label, reason in batch.get("unread", ()):
            warnings.warn(f"{reason}: {'counts as wrong' if label >= 0 else 'is not counted'}", stacklevel=2)
        labels = [label for _, label, _ in batch.get("unread", ()) if label >= 0]
        if labels:
            targets = torch.tensor(labels, device=self.device)
            for metrics in (self.val_metrics, *self._metrics_by_part.values()):
                metrics.update(wrong_scores(targets, self.num_classes), targets)

    @property
    def _metrics_by_part(self) -> dict[str, MetricCollection]:
        return {part: cast(MetricCollection, metrics) for part, metrics in self._part_metrics.items()}
