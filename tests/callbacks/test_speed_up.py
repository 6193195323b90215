"""The fast form of a training: the same weights but for rounding, the same names, the same checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.callbacks import SpeedUp
from vidcls.callbacks.speed_up import channels_last
from vidcls.cli.resolved_config import resolved_fit
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models import Conv3D, TwoStream, VideoClassifier, load_classifier
from vidcls.models.build import import_class
from vidcls.training.optimization import OptimizationSettings

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


def trained(
    run: Path, dataset: VideoFolder, make_data: MakeData, make_trainer: MakeTrainer, *callbacks: SpeedUp, optimizer: str
) -> VideoClassifier:
    torch.manual_seed(0)
    data = make_data(dataset, streams=("rgb", "flow"), flow_len=2)
    model = TwoStream(
        class_names=data.class_names,
        clip=data.clip,
        spatial="small",
        temporal="small",
        optimization=OptimizationSettings(optimizer=optimizer),  # type: ignore[arg-type]
    )
    make_trainer(run, callbacks=list(callbacks), max_epochs=1).fit(model, data)
    return model


def assert_moved_alike(plain: VideoClassifier, fast: VideoClassifier) -> None:
    """Both trainings moved the weights of the same start by the same, up to 2 % of the way."""
    torch.manual_seed(0)
    start = TwoStream(class_names=list(plain.class_names), clip=plain.clip, spatial="small", temporal="small")
    before = torch.cat([w.detach().flatten() for w in start.parameters()])
    moved = [torch.cat([w.detach().flatten() for w in model.parameters()]) - before for model in (plain, fast)]
    assert moved[0].norm() > 0
    assert (moved[0] - moved[1]).norm() < 0.02 * moved[0].norm()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_are_those_of_an_ordinary_training_but_for_rounding(
    optimizer: str, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    nothing = SpeedUp(channels_last=False, compile=False, fused=False)
    plain = trained(tmp_path / "a", clip_dataset, small_data, small_trainer, nothing, optimizer=optimizer)
    fast = trained(tmp_path / "b", clip_dataset, small_data, small_trainer, SpeedUp(compile=False), optimizer=optimizer)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    assert_moved_alike(plain, fast)
    assert fast.nets["spatial"].stages["block1"][0].weight.is_contiguous(memory_format=torch.channels_last)
    (param_group,) = fast.configure_optimizers()["optimizer"].param_groups
    assert param_group["fused"] is (True if optimizer == "adamw" else None)
    assert plain.configure_optimizers()["optimizer"].param_groups[0]["fused"] is None
    again = load_classifier(tmp_path / "b/checkpoints/best.ckpt")
    assert again.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "bf16-mixed"])
def test_on_a_cpu_the_optimiser_is_one_kernel_unless_precision_is_mixed(
    precision: str, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    model.optimization = OptimizationSettings(optimizer="adamw")
    trainer = small_trainer(tmp_path, precision=precision, gradient_clip_val=1.0, max_epochs=1)
    trainer.fit(model, data)
    (param_group,) = trainer.optimizers[0].param_groups
    assert param_group["fused"] is (None if precision == "bf16-mixed" else True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("saved", ["plain", "fast"])
def test_a_training_resumed_in_the_other_memory_format_moves_as_it_would_have(
    saved: str, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """Two epochs, the second resumed with or without channels-last weights: moments stay with their weights."""

    def fit(run: str, epochs: int, fast: bool, ckpt_path: Path | None = None) -> tuple[VideoClassifier, Trainer]:
        torch.manual_seed(0)
        data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
        adamw = OptimizationSettings(optimizer="adamw", lr=0.01, schedule="constant")
        model = TwoStream(
            class_names=data.class_names, clip=data.clip, spatial="small", temporal="small", optimization=adamw
        )
        callbacks = [SpeedUp(compile=False, fused=False)] if fast else []
        trainer = small_trainer(tmp_path / run, callbacks=callbacks, max_epochs=epochs)
        trainer.fit(model, data, ckpt_path=str(ckpt_path) if ckpt_path else None)
        return model, trainer

    _, first = fit("first", 1, saved == "fast")
    first.save_checkpoint(tmp_path / "first.ckpt")
    same, _ = fit("same", 2, saved == "fast", tmp_path / "first.ckpt")
    other, trainer = fit("other", 2, saved != "fast", tmp_path / "first.ckpt")
    start = torch.load(tmp_path / "first.ckpt", weights_only=True)["state_dict"]
    for name, weight in same.named_parameters():
        moved = (weight - start[name]).norm()
        assert (other.get_parameter(name) - weight).norm() < 0.05 * moved + 1e-6, name
    assert trainer.optimizers[0].param_groups[0]["fused"] is (True if saved == "fast" else None)


def test_weights_of_3d_convolutions_take_the_form_too_and_answers_stay(tmp_path: Path) -> None:
    from vidcls.types import ClipSettings

    model = Conv3D(class_names=["a", "b"], clip=ClipSettings(clip_len=4), backbone="small_3d").eval()
    clip = torch.randn(2, 3, 4, 32, 32)
    before = model(clip)
    channels_last(model)
    first = next(m for m in model.modules() if isinstance(m, torch.nn.Conv3d))
    assert first.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.allclose(model(clip), before, atol=1e-5)


def test_backbones_are_compiled_once_and_names_stay(
    clip_dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[str] = []

    def note(self: torch.nn.Module) -> None:
        compiled.append(type(self).__name__)
        self._compiled_call_impl = self._call_impl

    monkeypatch.setattr(torch.nn.Module, "compile", note)
    fast = SpeedUp()
    model = trained(tmp_path / "a", clip_dataset, small_data, small_trainer, fast, optimizer="sgd")
    assert len(compiled) == len(model.backbones) == 2
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
    small_trainer(tmp_path / "b", callbacks=[fast], max_epochs=1).fit(model, data)
    assert len(compiled) == 2
    trained(tmp_path / "c", clip_dataset, small_data, small_trainer, fast, optimizer="sgd")  # another model
    assert len(compiled) == 4


def test_clipping_and_a_fused_optimiser_in_mixed_precision_are_refused(
    clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    mixed = {"precision": "bf16-mixed", "gradient_clip_val": 1.0, "max_epochs": 1}
    small_trainer(tmp_path, callbacks=[SpeedUp(compile=False)], **mixed).fit(model, data)  # SGD is never fused
    model.optimization = OptimizationSettings(optimizer="adamw")
    with pytest.raises(ConfigurationError, match="fused: false"):
        small_trainer(tmp_path, callbacks=[SpeedUp(compile=False)], **mixed).fit(model, data)
    small_trainer(tmp_path, callbacks=[SpeedUp(compile=False, fused=False)], **mixed).fit(model, data)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_compiled_training_runs_to_its_end(
    clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    plain = trained(tmp_path / "a", clip_dataset, small_data, small_trainer, optimizer="sgd")
    fast = trained(tmp_path / "b", clip_dataset, small_data, small_trainer, SpeedUp(), optimizer="sgd")
    assert fast.state_dict().keys() == plain.state_dict().keys()
    assert_moved_alike(plain, fast)


def test_a_configuration_of_version_0_1_names_it_as_it_was_called() -> None:
    words = ["--config", "single_frame", "--trainer.callbacks+=vidcls.callbacks.Fast"]
    (callback,) = resolved_fit(words).trainer.callbacks
    assert import_class(callback.class_path) is SpeedUp
