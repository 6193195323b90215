"""The optimiser of a classifier and its schedule: what is trained, how fast, and what a callback may change of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vidcls.errors import ConfigurationError
from vidcls.layers.recomputed import without_counting
from vidcls.models.scored_module import ScoredModule
from vidcls.models.staged_training import StagedTraining
from vidcls.models.step_count import number_of_steps
from vidcls.training.lr_scaling import ScaledLr
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
from vidcls.training.sharded import Sharded
from vidcls.training.sharpness import climbed
from vidcls.training.transfer import TransferSettings

LR_CHANGE = 0.01  # from one step to the next a schedule changes it by less


class OptimizationHooks(ScoredModule):
    """What Lightning asks of a module about its optimiser."""

    fused_optimizer: bool | None
    staged: StagedTraining | None
    transfer: TransferSettings
    _num_steps: int | None

    scaled_lr: ScaledLr | None = None
    """What the learning rate was scaled to for the clips of a step; None where it is as given."""
    _base_lrs: list[float | Tensor] | None = None

    @property
    def lr(self) -> float:
        """The learning rate after the warm-up, as scaled; a learning rate finder looks for it here, and sets it."""
        return self.optimization.lr if self.scaled_lr is None else self.scaled_lr.lr

    @lr.setter
    def lr(self, lr: float) -> None:
        factor, given = lr / self.lr, lr
        if self.scaled_lr is not None:  # what is given is for a batch of another size
            given = lr / self.scaled_lr.factor
            self.scaled_lr = dataclasses.replace(self.scaled_lr, base_lr=given)
        self.optimization = dataclasses.replace(self.optimization, lr=given)
        for schedule in self._schedules:
            schedule.base_lrs = self._base_lrs = [base_lr * factor for base_lr in schedule.base_lrs]
        self._num_steps = None

    def on_train_start(self) -> None:
        """Fit what a checkpoint brought for the optimisers to this run, and the schedule to what callbacks found."""
        for optimizer in self.trainer.optimizers:
            settle_restored(optimizer)
        if not self.finite.is_on:
            return
        num_steps = number_of_steps(self.trainer)
        is_resumed = self.trainer.global_step > 0
        if is_resumed or self._num_steps != num_steps:
            self._num_steps = num_steps
            for schedule in self._schedules:
                if self.scaled_lr is not None and self._base_lrs is not None:
                    schedule.base_lrs = [*self._base_lrs]  # a checkpoint may be of another number of processes
                before = schedule.optimizer.param_groups[0]["lr"]
                refit_schedule(schedule, self.optimization, num_steps=num_steps)
                after = schedule.optimizer.param_groups[0]["lr"]
                if is_resumed and not math.isclose(before, after, rel_tol=LR_CHANGE):
                    rank_zero_info(
                        f"the learning rate continues at {after:.2g}, not at the {before:.2g} of the checkpoint: the "
                        f"{self.optimization.schedule} schedule now ends after step {num_steps}"
                    )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser over what requires gradients, its learning rates set after every step."""
        fused = self.fused_optimizer
        if fused is None:  # several times as fast on a CPU; Lightning cannot clip its gradients in mixed precision
            fused = self.device.type == "cpu" and not str(self.trainer.precision).endswith("mixed")
        _check_sharpness(self.trainer, self.optimization)
        self.scaled_lr = _scaled(self.trainer, self.optimization)
        lr = self.optimization.lr
        if self.scaled_lr is not None:
            lr = self.scaled_lr.lr
            rank_zero_info(self.scaled_lr.line())
        optimizer = build_optimizer(self._trained_parameters(lr), self.optimization, lr=lr, fused=fused)
        self._num_steps = number_of_steps(self.trainer)
        schedule = build_schedule(optimizer, self.optimization, num_steps=self._num_steps)
        self._base_lrs = [*schedule.base_lrs]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Drop the gradients of stages whose time has not come."""
        if self.staged is not None:
            for parameter in self.staged.waiting(self.current_epoch):
                parameter.grad = None

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], object] | None = None,
    ) -> None:
        """The step of the optimiser, on the gradients of sharpness-aware minimisation where it is asked for."""
        closure = optimizer_closure
        if self.optimization.sam_rho > 0 and closure is not None:
            optimizer_closure = partial(self._sharpness_aware, closure)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def _sharpness_aware(self, closure: Callable[[], object]) -> object:
        """Gradients at the weights uphill, the weights as they were; batch normalisations count the batch once."""
        loss = closure()
        waiting = {id(p) for p in self.staged.waiting(self.current_epoch)} if self.staged is not None else set()
        moving = [parameter for parameter in self.parameters() if id(parameter) not in waiting]
        self.is_second_pass = True
        try:
            with climbed(moving, self.optimization.sam_rho), without_counting(self):
                closure()
        finally:
            self.is_second_pass = False
        return loss

    @property
    def _schedules(self) -> list[LambdaLR]:
        """Ours, where no callback has put another in its place."""
        configs = self.trainer.lr_scheduler_configs if self._trainer is not None else []
        return [config.scheduler for config in configs if isinstance(config.scheduler, LambdaLR)]

    def _trained_parameters(self, lr: float) -> list[nn.Parameter] | list[ParameterGroup]:
        """What requires gradients; by stage where learning rates differ, and by whether they decay where that does."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        decays_alike = self.optimization.weight_decay_on == "all"
        if self.staged is not None and self.transfer.lr_decay < 1:
            groups = self.staged.parameter_groups(self.parameters(), lr)
        elif decays_alike:
            return trained
        else:
            groups = [{"params": trained, "lr": lr, "name": "trained"}]
        return groups if decays_alike else split_by_decay(groups, without_decay(self))


def _check_sharpness(trainer: Trainer, settings: OptimizationSettings) -> None:
    """ConfigurationError where a batch cannot be gone through twice."""
    if settings.sam_rho == 0:
        return
    reason = None
    if trainer.accumulate_grad_batches > 1:
        reason = f"trainer.accumulate_grad_batches {trainer.accumulate_grad_batches}: raise --data.batch_size instead"
    elif str(trainer.precision).startswith("16"):
        reason = f"trainer.precision {trainer.precision}: use bf16-mixed or 32-true"
    elif isinstance(trainer.strategy, Sharded):
        reason = "shared weights (--trainer fsdp): use --trainer ddp"
    if reason is not None:
        raise ConfigurationError(f"optimization.sam_rho does not work with {reason}, or remove it")


def _scaled(trainer: Trainer, settings: OptimizationSettings) -> ScaledLr | None:
    """The learning rate for the clips of a step on all processes; None where it stays as given.

    Raises:
        ConfigurationError: it is not known how many clips that are.
    """
    if settings.lr_scaling == "none" or settings.lr_batch is None:
        return None
    batch_size = getattr(trainer.datamodule, "batch_size", None)  # type: ignore[attr-defined]
    changes = any(
        isinstance(callback, GradientAccumulationScheduler) and callback.going_to_accumulate_grad_batches()
        for callback in trainer.callbacks  # type: ignore[attr-defined]
    )
    if changes or not isinstance(batch_size, int):
        why = "the batches of a step change from epoch to epoch" if changes else "the data names no batch_size"
        raise ConfigurationError(f"optimization.lr_scaling: {why}: remove it, and set optimization.lr itself")
    return ScaledLr(
        rule=settings.lr_scaling,
        base_lr=settings.lr,
        base_batch=settings.lr_batch,
        batch_size=batch_size,
        num_processes=trainer.world_size,
        accumulated=trainer.accumulate_grad_batches,
    )
