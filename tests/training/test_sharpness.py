"""Sharpness-aware minimisation: the gradient of the perturbed weights, on a quadratic and in a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from vidcls.errors import ConfigurationError
from vidcls.layers.settings import BATCH_NORMS
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.sharpness import climbed

pytestmark = pytest.mark.filterwarnings("ignore")
RHO, LR = 0.1, 0.02


def test_on_a_quadratic_the_gradient_is_that_of_the_weights_uphill_and_they_come_back_exactly() -> None:
    """Of w'Aw/2 the gradient is Aw; at w + rho Aw/|Aw| it is Aw + rho AAw/|Aw|."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    A = root @ root.T
    w = nn.Parameter(torch.randn(6, generator=generator, dtype=torch.float64))
    still = nn.Parameter(torch.ones(2))  # without a gradient
    before, g = w.detach().clone(), A @ w.detach()
    w.grad = g.clone()
    with climbed([w, still], RHO):
        assert float((w.detach() - before).norm()) == pytest.approx(RHO)
        w.grad = None
        (w @ A @ w / 2).backward()
    assert torch.equal(w.detach(), before)
    assert torch.equal(still.detach(), torch.ones(2))
    assert w.grad is not None
    assert torch.allclose(w.grad, g + RHO * (A @ g) / g.norm())


def test_where_the_gradient_is_zero_nothing_moves() -> None:
    w = nn.Parameter(torch.ones(3))
    w.grad = torch.zeros(3)
    with climbed([w], RHO):
        assert torch.equal(w.detach(), torch.ones(3))


def small_data(dataset: object) -> VideoDataModule:
    from factories import video_data

    return video_data(dataset, batch_size=4)  # type: ignore[arg-type]


def model_of(data: VideoDataModule, **settings: object) -> SingleFrame:
    torch.manual_seed(0)
    given = {"lr": LR, "momentum": 0.0, "weight_decay": 0.0, "schedule": "constant", **settings}
    optimization = OptimizationSettings(**given)  # type: ignore[arg-type]
    return SingleFrame(
        class_names=data.class_names, clip=data.clip, backbone="small", dropout=0.0, optimization=optimization
    )


def trainer_of(folder: Path, **settings: object) -> Trainer:
    given = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, **settings}
    given |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "accelerator": "cpu", "max_steps": 1}
    return Trainer(default_root_dir=folder, limit_val_batches=0, **given)  # type: ignore[arg-type]


def test_a_step_of_a_training_is_that_of_the_paper_and_counts_the_batch_once(
    clip_dataset: object, tmp_path: Path
) -> None:
    model = model_of(small_data(clip_dataset), sam_rho=RHO)
    trainer_of(tmp_path).fit(model, small_data(clip_dataset))

    data = small_data(clip_dataset)
    expected = model_of(data)
    expected.train()
    (batch, *_) = data.train_dataloader()
    batch = data.on_after_batch_transfer(batch, 0)

    def gradients(network: SingleFrame) -> list[torch.Tensor]:
        loss = nn.functional.cross_entropy(network(batch["streams"]["rgb"]), batch["label"])
        return list(torch.autograd.grad(loss, list(network.parameters())))

    first = gradients(expected)
    statistics = {name: buffer.clone() for name, buffer in expected.named_buffers() if "running" in name}
    norm = torch.cat([g.flatten() for g in first]).norm()
    with torch.no_grad():
        for parameter, g in zip(expected.parameters(), first, strict=True):
            parameter += RHO * g / norm
    second = gradients(expected)
    assert any((a - b).abs().max() > 1e-4 for a, b in zip(first, second, strict=True))
    with torch.no_grad():
        for parameter, up, down in zip(expected.parameters(), first, second, strict=True):
            parameter += -RHO * up / norm - LR * down
    for (name, ours), theirs in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5), name
    for name, buffer in model.named_buffers():
        if "running" in name:
            assert torch.allclose(buffer, statistics[name], atol=1e-5), name
    counts = [norm.num_batches_tracked for norm in model.modules() if isinstance(norm, BATCH_NORMS)]
    assert all(int(count) == 1 for count in counts if count is not None)
    assert int(model.plain_losses.num_clips) in (0, 4)  # 0 where the epoch has ended and was logged


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches 2: raise --data.batch_size instead"),
        ({"precision": "16-true"}, "precision 16-true: use bf16-mixed"),
    ],
)
def test_where_a_batch_cannot_be_gone_through_twice_it_is_refused(
    settings: dict[str, object], message: str, clip_dataset: object, tmp_path: Path
) -> None:
    data = small_data(clip_dataset)
    with pytest.raises(ConfigurationError, match=message):
        trainer_of(tmp_path, **settings).fit(model_of(data, sam_rho=RHO), data)


def test_a_radius_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="sam_rho must be 0 or more"):
        OptimizationSettings(sam_rho=-0.1)


def test_gradients_of_the_second_pass_alone_reach_the_optimiser(
    clip_dataset: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[bool] = []
    step: Callable[..., torch.Tensor] = SingleFrame.training_step

    def watched(model: SingleFrame, *arguments: object) -> torch.Tensor:
        passes.append(model.is_second_pass)
        return step(model, *arguments)

    monkeypatch.setattr(SingleFrame, "training_step", watched)
    data = small_data(clip_dataset)
    trainer_of(tmp_path).fit(model_of(data, sam_rho=RHO), data)
    assert passes == [False, True]
