"""Learning rates at literal steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.training.optimization import (
    OptimizationSettings,
    build_optimizer,
    build_schedule,
    lr_factor,
    settle_restored,
    split_by_decay,
    without_decay,
)


def rates(num_steps: int, **changes: object) -> list[float]:
    settings = OptimizationSettings(lr=1.0, **changes)  # type: ignore[arg-type]
    optimizer = build_optimizer([nn.Parameter(torch.zeros(1))], settings)
    schedule = build_schedule(optimizer, settings, num_steps=num_steps)
    found = []
    for _ in range(num_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_a_constant_rate_stays() -> None:
    assert rates(4, schedule="constant") == [1.0, 1.0, 1.0, 1.0]


def test_cosine_starts_full_is_half_in_the_middle_and_ends_near_zero() -> None:
    assert rates(8, schedule="cosine") == pytest.approx(
        [1.0, 0.961940, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.038060], abs=1e-6
    )


def test_steps_multiply_at_their_shares_of_the_run() -> None:
    # the paper's 50k and 70k of 80k
    found = rates(8, schedule="steps", milestones=[0.625, 0.875])
    assert found == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1, 0.01])


def test_warm_up_grows_linearly_and_is_never_zero() -> None:
    found = rates(10, schedule="constant", warmup=0.4)
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])


def test_warm_up_goes_before_the_cosine() -> None:
    found = rates(10, schedule="cosine", warmup=0.2)
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert found[6] == pytest.approx(0.5)


def test_after_the_last_step_the_cosine_stays_at_zero() -> None:
    settings = OptimizationSettings(schedule="cosine")
    assert lr_factor(12, settings=settings, num_steps=10) == pytest.approx(0.0, abs=1e-12)


def test_sgd_has_the_papers_momentum_unless_told_otherwise() -> None:
    parameters = [nn.Parameter(torch.zeros(1))]
    assert build_optimizer(parameters, OptimizationSettings()).defaults["momentum"] == 0.9
    assert build_optimizer(parameters, OptimizationSettings(momentum=0.0)).defaults["momentum"] == 0.0


def test_adamw_takes_rate_and_decay() -> None:
    settings = OptimizationSettings(optimizer="adamw", lr=3e-4, weight_decay=0.1)
    optimizer = build_optimizer([nn.Parameter(torch.zeros(1))], settings)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (3e-4, 0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 0.0}, "lr must be positive"),
        ({"warmup": 1.0}, "warmup is a share"),
        ({"schedule": "steps"}, "steps needs them"),
        ({"schedule": "cosine", "milestones": [0.5]}, "belong to schedule: steps"),
        ({"schedule": "steps", "milestones": [50_000.0]}, "shares of the run"),
        ({"optimizer": "adamw", "momentum": 0.9}, "no effect on adamw"),
    ],
)
def test_settings_without_effect_or_out_of_range_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        OptimizationSettings(**changes)


def test_a_restored_state_takes_the_kernel_and_the_memory_format_of_this_run() -> None:
    settings = OptimizationSettings(optimizer="adamw")
    saved, here = torch.randn(4, 3, 3, 3), torch.zeros(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    optimizers = [
        build_optimizer([nn.Parameter(w)], settings, fused=fused) for w, fused in ((saved, True), (here, False))
    ]
    for optimizer in optimizers:
        (parameter,) = optimizer.param_groups[0]["params"]
        parameter.grad = torch.randn(4, 3, 3, 3)
        optimizer.step()
    optimizers[1].load_state_dict(optimizers[0].state_dict())
    settle_restored(optimizers[1])
    ((parameter, state),) = optimizers[1].state.items()
    ((_, before),) = optimizers[0].state.items()
    assert optimizers[1].param_groups[0]["fused"] is None
    for name in ("exp_avg", "exp_avg_sq"):
        assert state[name].stride() == parameter.stride() != before[name].stride()
        assert torch.equal(state[name], before[name])
    assert state["step"] == 1


def test_other_optimisers_are_left_alone() -> None:
    optimizer = torch.optim.RMSprop([nn.Parameter(torch.zeros(1))])
    settle_restored(optimizer)
    assert "fused" not in optimizer.param_groups[0]


class Positions(nn.Module):
    """A module with weights of two axes that name themselves exempt, as timm's transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.ones(2, 2))
        self.proj = nn.Parameter(torch.ones(2, 2))

    def no_weight_decay(self) -> set[str]:
        return {"pos_embed", "cls_token"}


def test_what_timm_leaves_out_of_the_decay_is_exempt() -> None:
    net = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 1), "norm": nn.BatchNorm2d(2), "inner": Positions()})
    exempt = {name for name, parameter in net.named_parameters() if parameter in without_decay(net)}
    assert exempt == {"conv.bias", "norm.weight", "norm.bias", "inner.pos_embed"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_without_gradients_only_what_decays_shrinks_by_rate_times_decay(optimizer: str) -> None:
    net = nn.Linear(1, 1)
    settings = OptimizationSettings(
        optimizer=optimizer,  # type: ignore[arg-type]
        lr=0.1,
        weight_decay=0.5,
        weight_decay_on="weights",
        momentum=0.0 if optimizer == "sgd" else None,
    )
    groups = split_by_decay(
        [{"params": list(net.parameters()), "lr": settings.lr, "name": "trained"}], without_decay(net)
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    built = build_optimizer(groups, settings)
    built.step()
    assert (float(net.weight), float(net.bias)) == pytest.approx((0.95, 1.0))
    decays = [(group["name"], group["weight_decay"]) for group in built.param_groups]
    assert decays == [("trained", 0.5), ("trained_no_decay", 0.0)]


def test_by_default_everything_decays() -> None:
    assert OptimizationSettings().weight_decay_on == "all"
