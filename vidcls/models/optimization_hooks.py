"""The optimiser of a classifier and its schedule: what is trained, how fast, and what a callback may change of it."""

from __future__ import annotations

import dataclasses
import math

from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vidcls.models.scored_module import ScoredModule
from vidcls.models.staged_training import StagedTraining
from vidcls.models.step_count import number_of_steps
from vidcls.training.optimization import (
    ParameterGroup,
    build_optimizer,
    build_schedule,
    refit_schedule,
    settle_restored,
    split_by_decay,
    without_decay,
)
from vidcls.training.transfer import TransferSettings

LR_CHANGE = 0.01  # from one step to the next a schedule changes it by less


class OptimizationHooks(ScoredModule):
    """What Lightning asks of a module about its optimiser."""

    fused_optimizer: bool | None
    staged: StagedTraining | None
    transfer: TransferSettings
    _num_steps: int | None

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
        if not self.finite.is_on:
            return
        num_steps = number_of_steps(self.trainer)
        is_resumed = self.trainer.global_step > 0
        if is_resumed or self._num_steps != num_steps:
            self._num_steps = num_steps
            for schedule in self._schedules:
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
        optimizer = build_optimizer(self._trained_parameters(), self.optimization, fused=fused)
        self._num_steps = number_of_steps(self.trainer)
        schedule = build_schedule(optimizer, self.optimization, num_steps=self._num_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Drop the gradients of stages whose time has not come."""
        if self.staged is not None:
            for parameter in self.staged.waiting(self.current_epoch):
                parameter.grad = None

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
