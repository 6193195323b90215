"""The base of all classifiers: what every architecture takes, says of itself and shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torchmetrics import MeanMetric

from vidcls.class_arguments import arguments_of
from vidcls.class_names import checked_class_names
from vidcls.errors import ConfigurationError
from vidcls.inference import HasParts
from vidcls.inference.features import backbones_of
from vidcls.layers import Backbone
from vidcls.layers.published_weights import PublishedFormat
from vidcls.layers.stochastic_depth import set_drop_path
from vidcls.models.cam_layer import CamLayer, ends_in_average
from vidcls.models.checkpoint_hooks import CheckpointHooks
from vidcls.models.finite_guard import FiniteGuard
from vidcls.models.optimization_hooks import OptimizationHooks
from vidcls.models.staged_training import StagedTraining
from vidcls.models.testing_hooks import TestingHooks
from vidcls.models.training_hooks import TrainingHooks
from vidcls.models.validation_hooks import ValidationHooks
from vidcls.runs.curves import PLAIN_LOSS, PLAIN_LOSS_SPREAD
from vidcls.tasks import DEFAULT_TASK, HasTask, TaskName, task_of
from vidcls.tasks.decision import NO_DECISION
from vidcls.training.decision_settings import DecisionSettings
from vidcls.training.distillation import Teacher
from vidcls.training.losses import LossSettings, weights_by_name
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.results import VideoScores
from vidcls.training.step_losses import StepLosses
from vidcls.training.transfer import TransferSettings
from vidcls.types import MODEL_ROW, ClipSettings, DescribesInput, ListsVideos

LINKED_ARGUMENTS = ("class_names", "clip", "task")  # what the data tells the model
HEAD = "head.1"  # the linear layer of a model that has one classifier, after its dropout


class VideoClassifier(TrainingHooks, OptimizationHooks, ValidationHooks, TestingHooks, CheckpointHooks, ABC):
    """Steps, logs, measures and optimises; a subclass says what it sees and how it computes.

    A subclass sets ``streams``, takes its own arguments beside those below, passes these on, and defines
    ``forward(*streams) -> (B, K)`` with one argument for each entry of ``streams``: RGB ``(B, 3, S*T, H, W)``, flow
    ``(B, 2, S*F, H, W)``. An entry is ``"rgb"``, ``"flow"``, or a :class:`vidcls.types.Stream` of one of these kinds,
    which may have a name of its own and see each n-th frame. A model of several parts also satisfies :class:`HasParts`.

    Args:
        class_names: K names in the order of the logits; the data tells them.
        clip: which frames make a clip; the data tells it.
        task: what a label means; set from the data.
        optimization: optimiser and learning rate.
        loss: label smoothing and class weights.
        decision: what is chosen on validation videos to turn scores into answers.
        transfer: which stages keep the weights that they start from, and how fast the others move.
    """

    initial_weights: ClassVar[tuple[str, ...]] = ()
    """Arguments that say where the first weights come from: not followed again when a checkpoint is loaded."""

    learned_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments that a training sets itself: a checkpoint has them, a configuration leaves them out."""

    class_weights: Tensor

    def __init__(
        self,
        *,
        class_names: list[str],
        clip: ClipSettings,
        task: TaskName = DEFAULT_TASK,
        optimization: OptimizationSettings | None = None,
        loss: LossSettings | None = None,
        transfer: TransferSettings | None = None,
        decision: DecisionSettings | None = None,
    ) -> None:
        super().__init__()
        checked_class_names(class_names)
        if len(class_names) < 2:
            raise ValueError(f"a classifier needs at least two classes, got {class_names}")
        if not isinstance(clip, ClipSettings):
            raise TypeError(f"clip must be annotated and passed on as ClipSettings, got {type(clip).__name__}")
        own = arguments_of(type(self))  # a class that does not take one of ours could not be built with it again
        not_taken = [name for name in arguments_of(VideoClassifier) if name not in own]
        self.save_hyperparameters(ignore=[*LINKED_ARGUMENTS, *not_taken])
        self.task = task_of(task, class_names)
        self.clip = clip
        self.optimization = optimization or OptimizationSettings()
        self.loss_settings = loss or LossSettings()
        self.transfer = transfer or TransferSettings()
        self.decision_settings = decision or DecisionSettings()
        self.input_settings: dict[str, object] | None = None
        self.decision = NO_DECISION
        self.test_scores: VideoScores | None = None
        self.left_out_scores: VideoScores | None = None
        self.register_buffer("class_weights", weights_by_name(class_names, self.loss_settings))
        self.train_metrics = self.task.metrics("train/")
        self.plain_losses = StepLosses()
        self.val_metrics = self.task.metrics("val/")
        self.teacher: Teacher | None = None
        self.validated: dict[int, bool] = {}
        self.right_videos: list[tuple[Tensor, Tensor]] = []
        self.held_out: tuple[Tensor, Tensor] | None = None
        self.scored_videos: list[tuple[Tensor, Tensor]] = []
        self.val_loss = MeanMetric(nan_strategy="disable")  # else it drops them, and asks the device in every batch
        self._part_metrics = torch.nn.ModuleDict()
        for part in getattr(type(self), "parts", ()):
            self._part_metrics[part] = self.task.metrics(f"val/{part}_")
        self.published: PublishedFormat | None = None  # of the file of weights that it starts from
        self.fused_optimizer: bool | None = None  # callbacks.SpeedUp sets it
        self.staged: StagedTraining | None = None
        self.finite = FiniteGuard()
        self._num_steps: int | None = None  # of the schedule; None where its learning rate has changed since
        self._epoch_of_modes = 0

    @property
    def logged_names(self) -> list[str]:
        """The numbers that a training logs, by the names that early stopping and checkpoints may watch."""
        trained = self.trained_parts if isinstance(self, HasParts) else ()
        of_parts = [f"train/{part}_loss" for part in trained] if len(trained) > 1 else []
        metrics = (self.train_metrics, self.val_metrics, *self._metrics_by_part.values())
        measured = [str(name) for collection in metrics for name in collection]
        losses = ["train/loss", *of_parts, PLAIN_LOSS, PLAIN_LOSS_SPREAD, "val/loss"]
        return sorted([*losses, *measured], key=lambda name: (name[:4] != "val/", name))

    @property
    def backbones(self) -> dict[str, Backbone]:
        """The networks whose stages can be frozen, by their place in the model."""
        return backbones_of(self)

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
                stream=self.streams[0].name,
                classifier=HEAD
                if isinstance(getattr(self, "head", None), nn.Sequential) and not several and ends_in_average(backbone)
                else None,
                is_centre=path.endswith(".fovea"),
            )
            for path, backbone in self.backbones.items()
        )

    @abstractmethod
    def forward(self, *streams: Tensor) -> Tensor:
        """Logits ``(B, K)`` of the default fusion; the task turns them into probabilities."""

    def apply_transfer(self) -> None:
        """Freeze what the settings name; every subclass calls this when its networks are there.

        Raises:
            ValueError: a stage that a backbone does not have, or branches to drop where there are none.
        """
        self.staged = StagedTraining(self.transfer, self.backbones)
        for module in self.staged.never_trained():
            module.requires_grad_(False)
        for module in self.modules():
            if isinstance(module, Backbone):
                module.recomputes = self.transfer.gradient_checkpointing
        if self.transfer.drop_path > 0:
            for place, backbone in self.backbones.items():
                try:
                    set_drop_path(backbone, self.transfer.drop_path)
                except ValueError as error:
                    raise ValueError(
                        f"transfer.drop_path: {place}: {error}: use a residual network such as resnet18, or remove it"
                    ) from error
        self.train()  # a trainer keeps the mode that it finds: evaluation for what is not trained

    def train(self, mode: bool = True) -> VideoClassifier:
        """Set the mode; what keeps its weights stays in evaluation mode."""
        super().train(mode)
        if self.staged is not None:
            self.staged.set_modes(self.current_epoch)
        return self

    def setup(self, stage: str) -> None:
        """Take the input, and the number of videos by class where classes are to be balanced, from the data.

        The seed that dropout follows is noted here: callbacks that try learning rates train before ``on_fit_start``.

        Raises:
            ConfigurationError: a label of the data means another thing than the model was built for.
        """
        self._dropout_seed = torch.initial_seed() % 2**31
        self.finite.start()
        self.finite.is_on = stage != "fit"
        data = getattr(self._trainer, "datamodule", None)
        if isinstance(data, HasTask) and data.task.name != self.task.name:
            raise ConfigurationError(
                f"the data has the task {data.task.name}, {type(self).__name__} was built for {self.task.name}: pass "
                f"task={data.task.name!r} to the model, which hands it to VideoClassifier"
            )
        if isinstance(data, DescribesInput):
            self.input_settings = data.describe_input()
            if stage == "fit" and self.loss_settings.balanced:
                counts = data.class_counts()
                num_videos = len(data.split("train")) if isinstance(data, ListsVideos) else sum(counts)
                self.class_weights.copy_(torch.tensor(self.task.balanced_weights(counts, num_videos)))

    def on_fit_start(self) -> None:
        """Watch the losses from now on, forget what was fitted to other weights, and say what is frozen."""
        self.decision = NO_DECISION
        self.finite.start()
        line = self.staged.described(self) if self.staged is not None else None
        if line is not None:
            rank_zero_info(line)
