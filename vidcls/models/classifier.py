"""A batch of clips -> logits, loss, metrics and scores: everything that all architectures share."""

from __future__ import annotations

import dataclasses
import random
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric, MetricCollection

import vidcls
from vidcls.class_names import checked_class_names
from vidcls.errors import CheckpointError
from vidcls.layers import Backbone
from vidcls.models.cam_layer import CamLayer, ends_in_average
from vidcls.models.checkpoint import FACTS_KEY
from vidcls.models.finite_guard import FiniteGuard
from vidcls.models.one_clip import normalising_one_clip
from vidcls.models.parts import HasParts
from vidcls.models.staged_training import StagedTraining
from vidcls.models.step_count import number_of_steps
from vidcls.training.losses import LossSettings, balanced_weights, weighted_cross_entropy, weights_by_name
from vidcls.training.metrics import classification_metrics
from vidcls.training.optimization import (
    OptimizationSettings,
    ParameterGroup,
    build_optimizer,
    build_schedule,
    refit_schedule,
    settle_restored,
    split_by_decay,
    without_decay,
)
from vidcls.training.results import MODEL_ROW, TestScores, wrong_scores
from vidcls.training.tally import TestTally
from vidcls.training.transfer import TransferSettings
from vidcls.training.view_scores import video_scores, view_scores
from vidcls.types import Batch, ClipSettings, DescribesInput, ScoreRule, Stream

FACTS_FORMAT = 1
LINKED_ARGUMENTS = ("class_names", "clip")  # what the data tells the model
HEAD = "head.1"  # the linear layer of a model that has one classifier, after its dropout


class VideoClassifier(LightningModule, ABC):
    """Steps, logs, measures and optimises; a subclass says what it sees and how it computes.

    A subclass sets ``streams``, takes its own arguments beside those below, passes these on, and defines
    ``forward(*streams) -> (B, K)`` with one argument for each entry of ``streams``: RGB ``(B, 3, S*T, H, W)``, flow
    ``(B, 2, S*F, H, W)``. A model of several parts also satisfies :class:`HasParts`.

    Args:
        class_names: K names in the order of the logits; the data tells them.
        clip: which frames make a clip; the data tells it.
        optimization: optimiser and learning rate.
        loss: label smoothing and class weights.
        transfer: which stages keep the weights that they start from, and how fast the others move.
    """

    streams: ClassVar[tuple[Stream, ...]]
    initial_weights: ClassVar[tuple[str, ...]] = ()
    """Arguments that say where the first weights come from: not followed again when a checkpoint is loaded."""

    class_weights: Tensor

    def __init__(
        self,
        *,
        class_names: list[str],
        clip: ClipSettings,
        optimization: OptimizationSettings | None = None,
        loss: LossSettings | None = None,
        transfer: TransferSettings | None = None,
    ) -> None:
        super().__init__()
        checked_class_names(class_names)
        if len(class_names) < 2:
            raise ValueError(f"a classifier needs at least two classes, got {class_names}")
        if not isinstance(clip, ClipSettings):
            raise TypeError(f"clip must be annotated and passed on as ClipSettings, got {type(clip).__name__}")
        self.save_hyperparameters(ignore=list(LINKED_ARGUMENTS))
        self.class_names = tuple(class_names)
        self.clip = clip
        self.optimization = optimization or OptimizationSettings()
        self.loss_settings = loss or LossSettings()
        self.transfer = transfer or TransferSettings()
        self.input_settings: dict[str, object] | None = None
        self.test_scores: TestScores | None = None
        self.register_buffer("class_weights", weights_by_name(class_names, self.loss_settings))
        self.train_metrics = classification_metrics(self.num_classes, prefix="train/")
        self.val_metrics = classification_metrics(self.num_classes, prefix="val/")
        self.val_loss = MeanMetric(nan_strategy="disable")  # else it drops them, and asks the device in every batch
        self._part_metrics = torch.nn.ModuleDict()
        for part in getattr(type(self), "parts", ()):
            self._part_metrics[part] = classification_metrics(self.num_classes, prefix=f"val/{part}_")
        self.fused_optimizer: bool | None = None  # callbacks.Fast sets it
        self.staged: StagedTraining | None = None
        self.finite = FiniteGuard()
        self._num_steps: int | None = None  # of the schedule; None where its learning rate has changed since
        self._epoch_of_modes = 0

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def logged_names(self) -> list[str]:
        """The numbers that a training logs, by the names that early stopping and checkpoints may watch."""
        trained = self.trained_parts if isinstance(self, HasParts) else ()
        of_parts = [f"train/{part}_loss" for part in trained] if len(trained) > 1 else []
        metrics = (self.train_metrics, self.val_metrics, *self._metrics_by_part.values())
        measured = [str(name) for collection in metrics for name in collection]
        return sorted(["train/loss", *of_parts, "val/loss", *measured], key=lambda name: (name[:4] != "val/", name))

    @property
    def backbones(self) -> dict[str, Backbone]:
        """The networks whose stages can be frozen, by their place in the model."""
        found: dict[str, Backbone] = {}
        for name, module in self.named_modules():
            inside = any(name.startswith(f"{outer}.") for outer in found)
            if isinstance(module, Backbone) and not inside:
                found[name] = module
        return found

    @property
    def receptive_field(self) -> int | None:
        """Frames of a clip, from the first to the last, that one unit of the features sees; None where not stated.

        Counted in frames as they are given to ``forward``: with a stride between the frames read it spans more frames
        of the file. A mean of answers over frames or snippets does not count.
        """
        return None

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The layers that :mod:`vidcls.explain` makes heat maps of: of each backbone the last maps of several places.

        A model whose parts see other streams, or whose maps belong to certain frames, says so here.
        """
        several = len(self.backbones) > 1
        return tuple(
            CamLayer(
                path.rpartition(".")[2] if several else MODEL_ROW,
                f"{path}.stages.{backbone.last_places}",
                classifier=HEAD
                if isinstance(getattr(self, "head", None), nn.Sequential) and not several and ends_in_average(backbone)
                else None,
                is_centre=path.endswith(".fovea"),
            )
            for path, backbone in self.backbones.items()
        )

    @abstractmethod
    def forward(self, *streams: Tensor) -> Tensor:
        """Logits ``(B, K)`` of the default fusion; softmax turns them into probabilities."""

    def apply_transfer(self) -> None:
        """Freeze what the settings name; every subclass calls this when its networks are there.

        Raises:
            ValueError: a stage that a backbone does not have.
        """
        self.staged = StagedTraining(self.transfer, self.backbones)
        for module in self.staged.never_trained():
            module.requires_grad_(False)
        self.train()  # a trainer keeps the mode that it finds: evaluation for what is not trained

    def train(self, mode: bool = True) -> VideoClassifier:
        """Set the mode; what keeps its weights stays in evaluation mode."""
        super().train(mode)
        if self.staged is not None:
            self.staged.set_modes(self.current_epoch)
        return self

    # --- training -----------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Take the number of videos by class from the data where classes are to be balanced.

        The seed that dropout follows is noted here: callbacks that try learning rates train before ``on_fit_start``.
        """
        self._dropout_seed = torch.initial_seed() % 2**31
        self.finite.start()
        self.finite.is_on = stage != "fit"
        data = getattr(self._trainer, "datamodule", None)
        if isinstance(data, DescribesInput):
            self.input_settings = data.describe_input()
            if stage == "fit" and self.loss_settings.balanced:
                self.class_weights.copy_(balanced_weights(data.class_counts()))

    def on_fit_start(self) -> None:
        """Watch the losses from now on, and say what is frozen."""
        self.finite.start()
        line = self.staged.described(self) if self.staged is not None else None
        if line is not None:
            rank_zero_info(line)

    @property
    def lr(self) -> float:
        """The learning rate after the warm-up; a learning rate finder looks for it here, and sets it."""
        return self.optimization.lr

    @lr.setter
    def lr(self, lr: float) -> None:
        factor = lr / self.optimization.lr
        self.optimization = dataclasses.replace(self.optimization, lr=lr)
        for schedule in self._schedules:
            schedule.base_lrs = [base_lr * factor for base_lr in schedule.base_lrs]
        self._num_steps = None

    def on_train_start(self) -> None:
        """Fit what a checkpoint brought for the optimisers to this run, and the schedule to what callbacks found."""
        for optimizer in self.trainer.optimizers:
            settle_restored(optimizer)
        if self.finite.is_on and self._num_steps != (num_steps := number_of_steps(self.trainer)):
            self._num_steps = num_steps
            for schedule in self._schedules:
                refit_schedule(schedule, self.optimization, num_steps=num_steps)

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
        """The loss of a batch: one cross entropy, or the sum of one for each part that is trained."""
        if len(batch["label"]) == 0:  # every file of it was left out; DDP still waits for gradients
            return (
                torch.stack([parameter.sum() for parameter in self.parameters() if parameter.requires_grad]).sum() * 0
            )
        targets = batch["label"]
        with normalising_one_clip(len(targets)):
            rows = self._rows(batch, fusions=False)
        trained = self.trained_parts if isinstance(self, HasParts) else (MODEL_ROW,)
        losses = {row: self._loss(rows[row], batch.get("target", targets)) for row in trained}
        loss = torch.stack(list(losses.values())).sum()
        self.finite.note_loss(self, loss)
        self.train_metrics.update(rows[MODEL_ROW].float(), targets)
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=False, prog_bar=True)
        if len(losses) > 1:
            self.log_dict({f"train/{part}_loss": value.detach() for part, value in losses.items()})
        return loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Drop the gradients of stages whose time has not come."""
        if self.staged is not None:
            for parameter in self.staged.waiting(self.current_epoch):
                parameter.grad = None

    def on_train_batch_end(self, outputs: object, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """End a training whose loss is no longer finite; see :class:`FiniteGuard` for when that is looked at."""
        self.finite.after_batch(self, batch_idx)

    def on_train_epoch_end(self) -> None:
        """Log the metrics over the training clips of the epoch."""
        self.finite.check_losses(self)
        # A resumed epoch may have no batch left; of several processes all must take part in computing.
        if self.train_metrics["top1"].update_called or self.trainer.world_size > 1:
            self.log_dict(self.train_metrics.compute())
        self.train_metrics.reset()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser over what requires gradients, its learning rates set after every step."""
        fused = self.fused_optimizer
        if fused is None:  # several times as fast on a CPU; Lightning cannot clip its gradients in mixed precision
            fused = self.device.type == "cpu" and not str(self.trainer.precision).endswith("mixed")
        optimizer = build_optimizer(self._trained_parameters(), self.optimization, fused=fused)
        self._num_steps = number_of_steps(self.trainer)
        schedule = build_schedule(optimizer, self.optimization, num_steps=self._num_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    # --- validation: one clip of each video ---------------------------------------------------------------------

    def on_validation_start(self) -> None:
        """Validate no weights of a training that has diverged."""
        self.finite.check_losses(self)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Count the answers of the model and of its parts; videos that could not be read count as wrong."""
        self._count_unread(batch)
        if len(batch["label"]) == 0:  # there are more processes than batches, or no video could be read
            return
        rows, targets = self._rows(batch, fusions=False), batch["label"]
        for logits in rows.values():
            self.finite.note_scores(logits.float().logsumexp(dim=-1), batch.get("index", 0))
        self.val_loss.update(F.cross_entropy(rows[MODEL_ROW].float(), targets, reduction="none"))
        self.val_metrics.update(rows[MODEL_ROW].float(), targets)
        for part, metrics in self._metrics_by_part.items():
            metrics.update(rows[part].float(), targets)

    def _count_unread(self, batch: Batch) -> None:
        for _, label, reason in batch.get("unread", ()):
            warnings.warn(f"{reason}: {'counts as wrong' if label >= 0 else 'is not counted'}", stacklevel=2)
        labels = [label for _, label, _ in batch.get("unread", ()) if label >= 0]
        if labels:
            targets = torch.tensor(labels, device=self.device)
            for metrics in (self.val_metrics, *self._metrics_by_part.values()):
                metrics.update(wrong_scores(targets, self.num_classes), targets)

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

    # --- test: every view of each video -------------------------------------------------------------------------

    @property
    def score_rule(self) -> ScoreRule:
        """What is averaged over views, and over parts by the fusions ``mean`` and ``weighted``: a data setting."""
        return "logits" if (self.input_settings or {}).get("score") == "logits" else "probabilities"

    def score_videos(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities ``(B, K)`` by row: the float32 mean of softmax over the V views of each video.

        Or, by :attr:`score_rule`, softmax of the mean of their logits. The streams of the batch are
        ``(B, V, C, T, H, W)``.
        """
        return {row: video_scores(scores, self.score_rule) for row, scores in self.score_views(batch).items()}

    def score_views(self, batch: Batch) -> dict[str, Tensor]:
        """Probabilities ``(B, V, K)`` by row, or logits where these are averaged."""
        B, V = batch[self.streams[0]].shape[:2]
        views: dict[str, Tensor] = {name: batch[name].flatten(0, 1) for name in self.streams}  # (B*V, C, T, H, W)
        rows = self._rows(views, fusions=True)
        return {row: view_scores(logits, self.score_rule).view(B, V, -1) for row, logits in rows.items()}

    def on_test_epoch_start(self) -> None:
        """Begin with no scores."""
        parts = self.parts if isinstance(self, HasParts) else ()
        self._test_tally = TestTally(self.class_names, parts, self.score_rule)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the scores of the videos, and note those that could not be read.

        Raises:
            CheckpointError: a video has scores that are not finite.
        """
        self._test_tally.add_unread(batch)
        if len(batch["label"]) > 0:
            by_view = self.score_views(batch)
            for scores in by_view.values():
                self.finite.note_scores(scores.sum(dim=(1, 2)), batch["index"])
            self._test_tally.add(batch, by_view)  # waits for the device
            self.finite.check_scores(self, "test")

    def on_test_epoch_end(self) -> None:
        """Join the scores of all processes, in the order of the list, and log the table."""
        self.test_scores = self._test_tally.total(self.trainer.world_size)
        for row, metrics in self.test_scores.table().items():
            prefix = "test/" if row == MODEL_ROW else f"test/{row}_"
            self.log_dict({prefix + name: value for name, value in metrics.items()})

    # --- checkpoints --------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Write the model's arguments in plain types, and all else that is needed to use it under one key.

        Raises:
            DivergedError: a loss so far, or a weight, is not finite.
        """
        self.finite.check_losses(self)
        self.finite.check_weights(self)
        checkpoint["hyper_parameters"] = {name: _plain(value) for name, value in self.hparams.items()}
        facts = checkpoint.setdefault(FACTS_KEY, {})
        assert isinstance(facts, dict)
        facts.update(
            format=FACTS_FORMAT,
            version=vidcls.__version__,
            class_path=f"{type(self).__module__}.{type(self).__qualname__}",
            class_names=list(self.class_names),
            clip=dataclasses.asdict(self.clip),
            input=self.input_settings,
        )

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Refuse a checkpoint whose logits mean other classes."""
        facts = checkpoint.get(FACTS_KEY)
        if not isinstance(facts, dict):
            raise CheckpointError(f"the checkpoint has no {FACTS_KEY!r} entry: it was not written by vidcls")
        if tuple(facts["class_names"]) != self.class_names:
            raise CheckpointError(
                f"the checkpoint knows the classes {facts['class_names']}, the model was built for "
                f"{list(self.class_names)}: build it from the checkpoint (load_classifier) or with the same names"
            )

    # --- the rest -----------------------------------------------------------------------------------------------

    @property
    def _schedules(self) -> list[LambdaLR]:
        """Ours, where no callback has put another in its place."""
        configs = self.trainer.lr_scheduler_configs if self._trainer is not None else []
        return [config.scheduler for config in configs if isinstance(config.scheduler, LambdaLR)]

    def _trained_parameters(self) -> list[nn.Parameter] | list[ParameterGroup]:
        """What requires gradients; by stage where learning rates differ, and by whether they decay where that does."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        decays_alike, lr = self.optimization.weight_decay_on == "all", self.optimization.lr
        if self.staged is not None and self.transfer.lr_decay < 1:
            groups = self.staged.parameter_groups(self.parameters(), lr)
        elif decays_alike:
            return trained
        else:
            groups = [{"params": trained, "lr": lr, "name": "trained"}]
        return groups if decays_alike else split_by_decay(groups, without_decay(self))

    @property
    def _metrics_by_part(self) -> dict[str, MetricCollection]:
        return {part: cast(MetricCollection, metrics) for part, metrics in self._part_metrics.items()}

    def _rows(self, batch: Mapping[str, object], *, fusions: bool) -> dict[str, Tensor]:
        """Logits by row: the model's answer first, then its parts, then, where asked for, every fusion."""
        streams = [batch[name] for name in self.streams]
        if not isinstance(self, HasParts):
            return {MODEL_ROW: self(*streams)}
        parts = self.forward_parts(*streams)  # type: ignore[arg-type]
        return {MODEL_ROW: self.fuse(parts), **parts, **(self.all_fusions(parts) if fusions else {})}

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        smoothing = self.loss_settings.label_smoothing
        return weighted_cross_entropy(logits, targets, self.class_weights, label_smoothing=smoothing)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in dataclasses.asdict(value).items()}
    return list(value) if isinstance(value, tuple) else value
