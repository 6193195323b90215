"""Settings -> optimiser and learning rate over the steps of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NotRequired, TypedDict, cast

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.optimizer import ParamsT

DEFAULT_MOMENTUM = 0.9


@dataclass(frozen=True)
class OptimizationSettings:
    """How the weights move.

    Args:
        optimizer: ``sgd`` or ``adamw``.
        lr: learning rate after the warm-up.
        momentum: of ``sgd`` (.9 where nothing is given); ``adamw`` has none.
        weight_decay: L2 penalty of ``sgd``, decoupled decay of ``adamw``.
        weight_decay_on: ``all`` parameters, as in the papers that train with ``sgd``; or ``weights`` alone, as in timm:
            neither biases, nor scales of normalisations and whatever else has one axis, nor what a network of timm
            exempts.
        schedule: ``constant``, ``cosine`` down to zero (Loshchilov and Hutter 2017), or ``steps``.
        warmup: share of the run, 0 to 1, in which the learning rate grows linearly from zero.
        milestones: shares of the run, 0 to 1, at which ``steps`` multiplies the learning rate by ``gamma``.
        gamma: factor at each milestone.
        lr_scaling: what ``lr`` becomes for the clips of a step on all processes: ``linear``, in proportion to
            them (Goyal et al. 2017), ``sqrt``, by their square root, as for adaptive optimisers; ``none`` leaves it.
        lr_batch: clips in one optimiser step that ``lr`` is meant for, such as 256; with ``lr_scaling``.
        sam_rho: sharpness-aware minimisation (Foret et al. 2021): each step goes down the gradient of the weights that
            lie so far up the loss, such as .05; it costs a second pass through each batch. 0 is none.
    """

    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float | None = None
    weight_decay: float = 5e-4
    weight_decay_on: Literal["all", "weights"] = "all"
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    warmup: float = 0.0
    milestones: list[float] = field(default_factory=list)
    gamma: float = 0.1
    lr_scaling: Literal["none", "linear", "sqrt"] = "none"
    lr_batch: int | None = None
    sam_rho: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values outside their range and settings without effect."""
        if self.lr <= 0:
            raise ValueError(f"optimization.lr must be positive, got {self.lr}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"optimization.warmup is a share of the run in 0 to 1 (excluded), got {self.warmup}")
        if any(not 0 < share < 1 for share in self.milestones):
            raise ValueError(f"optimization.milestones are shares of the run between 0 and 1, got {self.milestones}")
        if (self.schedule == "steps") != bool(self.milestones):
            raise ValueError("optimization.milestones belong to schedule: steps, and steps needs them")
        if (self.lr_scaling == "none") != (self.lr_batch is None):
            raise ValueError("optimization.lr_batch, the batch that lr is meant for, belongs to lr_scaling: pass both")
        if self.lr_batch is not None and self.lr_batch < 1:
            raise ValueError(f"optimization.lr_batch must be at least 1, got {self.lr_batch}")
        if self.sam_rho < 0:
            raise ValueError(f"optimization.sam_rho must be 0 or more, got {self.sam_rho}")
        if self.optimizer == "adamw" and self.momentum is not None:
            raise ValueError("optimization.momentum has no effect on adamw: remove it or use sgd")


class ParameterGroup(TypedDict):
    """Parameters with a learning rate of their own, as optimisers of torch take them."""

    params: list[nn.Parameter]
    lr: float
    name: str
    weight_decay: NotRequired[float]


def without_decay(model: nn.Module) -> set[nn.Parameter]:
    """The parameters that ``weight_decay_on: weights`` leaves alone, by timm's rule (``param_groups_weight_decay``).

    Biases, whatever has one axis or none, and what a module names in ``no_weight_decay()``, such as the embeddings of
    positions of a transformer.
    """
    exempt = {p for name, p in model.named_parameters() if p.ndim <= 1 or name.endswith(".bias")}
    for module in model.modules():
        named = getattr(module, "no_weight_decay", None)
        if callable(named):
            inside = dict(module.named_parameters())
            exempt |= {inside[name] for name in named() if name in inside}
    return exempt


def split_by_decay(groups: Sequence[ParameterGroup], exempt: Set[nn.Parameter]) -> list[ParameterGroup]:
    """Each group as two: what decays, and behind it what is exempt, under its name with ``_no_decay``."""
    split: list[ParameterGroup] = []
    for group in groups:
        decayed = [parameter for parameter in group["params"] if parameter not in exempt]
        others = [parameter for parameter in group["params"] if parameter in exempt]
        if decayed:
            split.append({**group, "params": decayed})
        if others:
            split.append({**group, "params": others, "name": f"{group['name']}_no_decay", "weight_decay": 0.0})
    return split


def build_optimizer(
    parameters: Sequence[nn.Parameter] | Sequence[ParameterGroup],
    settings: OptimizationSettings,
    *,
    lr: float | None = None,
    fused: bool = False,
) -> torch.optim.Optimizer:
    """The optimiser over ``parameters``, or over groups of them with learning rates of their own.

    Args:
        parameters: those that are trained.
        settings: which optimiser, and how.
        lr: in place of that of the settings.
        fused: one kernel for the whole step of AdamW; the same numbers but for rounding. Not of SGD: torch's gains next
            to nothing, and stops where a parameter has its first gradient after others.
    """
    params = cast(ParamsT, parameters)
    lr = settings.lr if lr is None else lr
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(params, lr=lr, weight_decay=settings.weight_decay, fused=fused or None)
    momentum = DEFAULT_MOMENTUM if settings.momentum is None else settings.momentum
    return torch.optim.SGD(params, lr=lr, momentum=momentum, weight_decay=settings.weight_decay)


def settle_restored(optimizer: torch.optim.Optimizer) -> None:
    """After a checkpoint was loaded: the optimiser computes as it was built here, on moments that lie as their weights.

    ``load_state_dict`` takes over whether one kernel does the step, and keeps the memory format of the moments; the
    kernel for CPUs walks memory without a look at it, and would give a moment to another weight.
    """
    if "fused" not in optimizer.defaults:  # another optimiser than ours
        return
    for group in optimizer.param_groups:
        group["fused"] = optimizer.defaults["fused"]
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            for name, value in state.items():
                if not isinstance(value, torch.Tensor):
                    continue
                if value.shape == parameter.shape and value.stride() != parameter.stride():
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
                elif name == "step":
                    state[name] = value.to(parameter.device if group["fused"] else "cpu", torch.float32)


def build_schedule(optimizer: torch.optim.Optimizer, settings: OptimizationSettings, *, num_steps: int) -> LambdaLR:
    """The learning rate of ``num_steps`` optimiser steps, to be advanced after each of them."""
    return LambdaLR(optimizer, partial(lr_factor, settings=settings, num_steps=num_steps))


def refit_schedule(schedule: LambdaLR, settings: OptimizationSettings, *, num_steps: int) -> None:
    """Let a schedule end after another number of steps, and give its optimiser the learning rates of this step."""
    schedule.lr_lambdas = [partial(lr_factor, settings=settings, num_steps=num_steps) for _ in schedule.lr_lambdas]
    for group, base_lr, factor in zip(
        schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
    ):
        group["lr"] = base_lr * factor(schedule.last_epoch)


def lr_factor(step: int, *, settings: OptimizationSettings, num_steps: int) -> float:
    """What the learning rate is multiplied by at ``step`` (from 0) of ``num_steps``."""
    num_warmup = round(settings.warmup * num_steps)
    if step < num_warmup:
        return (step + 1) / (num_warmup + 1)
    share = min(1.0, step / max(1, num_steps))
    if settings.schedule == "steps":
        return settings.gamma ** sum(share >= milestone for milestone in settings.milestones)
    if settings.schedule == "cosine":
        progress = min(1.0, (step - num_warmup) / max(1, num_steps - num_warmup))
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 1.0
