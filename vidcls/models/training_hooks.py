"""The training step of a classifier: a batch of clips -> one loss, watched, logged and of a dropout that repeats."""

from __future__ import annotations

import random

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from vidcls.inference import HasParts
from vidcls.models.one_clip import normalising_one_clip
from vidcls.models.scored_module import ScoredModule
from vidcls.runs.curves import PLAIN_LOSS, PLAIN_LOSS_SPREAD
from vidcls.training.distillation import Teacher
from vidcls.training.losses import LossSettings
from vidcls.training.step_losses import StepLosses
from vidcls.training.transfer import TransferSettings
from vidcls.types import MODEL_ROW, Batch


class TrainingHooks(ScoredModule):
    """What Lightning asks of a module about a training step."""

    class_weights: Tensor
    loss_settings: LossSettings
    train_metrics: MetricCollection
    plain_losses: StepLosses
    transfer: TransferSettings
    teacher: Teacher | None
    """Of whom the network learns beside the labels; a callback sets it."""
    _dropout_seed: int
    _epoch_of_modes: int

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Make dropout a function of (seed, epoch, batch, process): a resumed run draws what the whole one drew.

        Stages that are trained from this epoch on leave evaluation mode. Gradients of the step before are dropped where
        no more are added to them: Lightning does that after the forward pass, which then has less memory, and a percent
        or two more time on a CPU.
        """
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            for optimizer in self.trainer.optimizers:
                optimizer.zero_grad()
        if self.transfer.unfreeze and self._epoch_of_modes != self.current_epoch:
            self._epoch_of_modes = self.current_epoch
            self.train()
        key = f"{self._dropout_seed} {self.current_epoch} {batch_idx} {self.global_rank}"
        seed = random.Random(key).getrandbits(32)
        if self.device.type == "cpu":  # torch.manual_seed would note the stack for a GPU to come, a millisecond a step
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch: that of the model, or the sum of one for each part that is trained."""
        if len(batch["label"]) == 0:  # every file of it was left out; DDP still waits for gradients
            return (
                torch.stack([parameter.sum() for parameter in self.parameters() if parameter.requires_grad]).sum() * 0
            )
        targets = batch["label"]
        with normalising_one_clip(len(targets)):
            rows = self.scorer.logits(batch["streams"])
        trained = self.trained_parts if isinstance(self, HasParts) else (MODEL_ROW,)
        losses = {row: self._loss(rows[row], batch) for row in trained}
        loss = torch.stack(list(losses.values())).sum()
        if self.is_second_pass:  # the batch has been counted
            return loss
        self.finite.note_loss(self, loss)
        self.task.count(self.train_metrics, rows[MODEL_ROW], targets)
        with torch.no_grad():  # what is minimised may be a sum over parts, weighted, smoothed, or of mixed labels
            self.plain_losses.update(self.task.loss_by_video(rows[MODEL_ROW].float(), targets))
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=False, prog_bar=True)
        if len(losses) > 1:
            self.log_dict({f"train/{part}_loss": value.detach() for part, value in losses.items()})
        return loss

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """End a training whose loss is no longer finite; see :class:`FiniteGuard` for when that is looked at."""
        self.finite.after_batch(self, batch_idx)

    def on_train_epoch_end(self) -> None:
        """Log the metrics over the training clips of the epoch."""
        self.finite.check_losses(self)
        # A resumed epoch may have no batch left; of several processes all must take part in computing.
        if self.train_metrics[self.task.main_metric].update_called or self.trainer.world_size > 1:
            self.log_dict(self.train_metrics.compute())
            mean, spread = self.plain_losses.compute()
            if not mean.isnan():
                self.log_dict({PLAIN_LOSS: mean, PLAIN_LOSS_SPREAD: spread})
        self.train_metrics.reset()
        self.plain_losses.reset()

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        targets, settings = batch.get("target", batch["label"]), self.loss_settings

        def of_labels(logits: Tensor) -> Tensor:
            return self.task.loss(
                logits,
                targets,
                weights=self.class_weights,
                label_smoothing=settings.label_smoothing,
                focal_gamma=settings.focal_gamma,
            )

        return of_labels(logits) if self.teacher is None else self.teacher.loss(logits, batch["index"], of_labels)
