"""Frozen stages keep weights and statistics, thaw when their epoch comes, and go slower the nearer to the input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hub_models import CLASSIFIERS, saved
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from vidcls.layers import LayerSettings
from vidcls.models import Conv3D, RecurrentConv, SingleFrame, SlowFusion, TwoStream, VideoClassifier
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.transfer import TransferSettings
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(clip_len=4, flow_len=3)
SGD = OptimizationSettings(optimizer="sgd", lr=0.1, schedule="constant", weight_decay=0.01)
STAGES = ("block1", "block2", "block3", "block4")


def single_frame(optimization: OptimizationSettings = SGD, **transfer: object) -> SingleFrame:
    torch.manual_seed(0)
    settings = TransferSettings(**transfer)  # type: ignore[arg-type]
    return SingleFrame(
        class_names=CLASSES, clip=CLIP, backbone="small", dropout=0.0, optimization=optimization, transfer=settings
    )


def batches(count: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "streams": {
                "rgb": torch.randn(4, 3, 4, 16, 16, generator=generator),
                "flow": torch.randn(4, 2, 3, 16, 16, generator=generator),
            },
            "label": torch.tensor([0, 1, 2, 1]),
            "index": torch.arange(4),
        }
        for _ in range(count)
    ]


def train(
    model: VideoClassifier, folder: Path, *, epochs: int, per_epoch: int = 2, resume: Path | None = None, **more: object
) -> Trainer:
    checkpoint = ModelCheckpoint(dirpath=folder, filename="{epoch}", save_top_k=-1)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        callbacks=[checkpoint],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **more,  # type: ignore[arg-type]
    )
    seed_everything(1, verbose=False)
    loader = DataLoader(batches(per_epoch), batch_size=None)  # type: ignore[arg-type]
    trainer.fit(model, loader, ckpt_path=resume, weights_only=True if resume else None)
    return trainer


def moved(model: nn.Module, before: Mapping[str, Tensor]) -> set[str]:
    """The stages (and ``head``) of which any number is another one now, statistics of normalisation included."""
    names = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    return {name.split(".")[2] if name.startswith("backbone.stages") else name.split(".")[0] for name in names}


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        (None, {*STAGES, "head"}),
        ("block1", {"block2", "block3", "block4", "head"}),
        ("block3", {"block4", "head"}),
        ("all", {"head"}),
    ],
)
def test_stages_up_to_the_frozen_one_keep_every_number(freeze: str | None, trained: set[str], tmp_path: Path) -> None:
    model = single_frame(freeze=freeze)
    before = snapshot(model)
    train(model, tmp_path, epochs=1)
    assert moved(model, before) == trained


def test_frozen_stages_are_in_evaluation_mode_and_out_of_the_optimiser(tmp_path: Path) -> None:
    model = single_frame(freeze="block2").train()
    assert [model.backbone.stages[name].training for name in STAGES] == [False, False, True, True]
    optimizer = train(model, tmp_path, epochs=1).optimizers[0]
    (group,) = optimizer.param_groups
    # weight of the convolution, weight and bias of the normalisation in block3 and block4, weight and bias of the head
    assert len(group["params"]) == 3 + 3 + 2


def test_stages_thaw_when_their_epoch_comes_and_not_before(tmp_path: Path) -> None:
    transfer = {"freeze": "all", "unfreeze": {1: "block4", 3: "block2"}}
    start = snapshot(single_frame(**transfer))
    reached = {}
    for epochs in (1, 2, 3, 4):
        model = single_frame(**transfer)
        train(model, tmp_path / str(epochs), epochs=epochs)
        reached[epochs] = moved(model, start)
    assert reached == {
        1: {"head"},
        2: {"block4", "head"},
        3: {"block4", "head"},
        4: {"block2", "block3", "block4", "head"},
    }


def test_weight_decay_and_momentum_do_not_move_what_waits(tmp_path: Path) -> None:
    for optimizer in ("sgd", "adamw"):
        settings = OptimizationSettings(optimizer=optimizer, lr=0.1, weight_decay=0.5, schedule="constant")
        model = single_frame(settings, freeze="block3", unfreeze={2: "block1"})
        before = snapshot(model)
        train(model, tmp_path / optimizer, epochs=2)
        assert moved(model, before) == {"block4", "head"}


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_training_with_unfreezing_ends_with_the_same_weights(stop: int, tmp_path: Path) -> None:
    settings = OptimizationSettings(optimizer="adamw", lr=0.01, schedule="constant")
    transfer = {"freeze": "all", "unfreeze": {1: "block4", 2: "block2"}, "lr_decay": 0.5}
    whole = single_frame(settings, **transfer)
    train(whole, tmp_path / "whole", epochs=4)
    resumed = single_frame(settings, **transfer)
    train(resumed, tmp_path / "again", epochs=4, resume=tmp_path / "whole" / f"epoch={stop - 1}.ckpt")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_learning_rates_fall_by_the_factor_from_stage_to_stage(tmp_path: Path) -> None:
    model = single_frame(lr_decay=0.5)
    (optimizer,) = train(model, tmp_path, epochs=1).optimizers
    rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
    assert rates == {
        "head": 0.1,
        "backbone.block4": 0.05,
        "backbone.block3": 0.025,
        "backbone.block2": 0.0125,
        "backbone.block1": 0.00625,
    }
    counted = sum(len(group["params"]) for group in optimizer.param_groups)
    assert counted == len(list(model.parameters()))


def test_biases_without_decay_keep_the_learning_rate_of_their_stage_and_thaw_with_it(tmp_path: Path) -> None:
    settings = dataclasses.replace(SGD, weight_decay_on="weights")
    model = single_frame(settings, lr_decay=0.5, freeze="block2", unfreeze={1: "block2"})
    (optimizer,) = train(model, tmp_path, epochs=1).optimizers
    groups = {group["name"]: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups}
    assert groups == {
        "head": (0.1, 0.01),
        "head_no_decay": (0.1, 0.0),
        "backbone.block4": (0.05, 0.01),
        "backbone.block4_no_decay": (0.05, 0.0),
        "backbone.block3": (0.025, 0.01),
        "backbone.block3_no_decay": (0.025, 0.0),
        "backbone.block2": (0.0125, 0.01),
        "backbone.block2_no_decay": (0.0125, 0.0),
    }
    for group in optimizer.param_groups:
        assert all((parameter.ndim > 1) == (group["weight_decay"] > 0) for parameter in group["params"])


@pytest.mark.parametrize("lr_decay", [1.0, 0.5])
def test_a_training_without_decay_of_biases_is_resumed_bit_by_bit(lr_decay: float, tmp_path: Path) -> None:
    settings = dataclasses.replace(SGD, weight_decay_on="weights", weight_decay=0.1)
    whole, resumed, alike = (single_frame(s, lr_decay=lr_decay) for s in (settings, settings, SGD))
    train(whole, tmp_path / "whole", epochs=2)
    train(resumed, tmp_path / "again", epochs=2, resume=tmp_path / "whole/epoch=0.ckpt")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())
    train(alike, tmp_path / "alike", epochs=2)
    assert not torch.equal(alike.head[1].weight, whole.head[1].weight)


def test_the_first_step_moves_weights_by_their_learning_rate(tmp_path: Path) -> None:
    plain, slowed = single_frame(), single_frame(lr_decay=0.5)
    before = snapshot(plain)
    for model, folder in ((plain, "a"), (slowed, "b")):
        train(model, tmp_path / folder, epochs=1, per_epoch=1)
    for name, factor in (("head.1.weight", 1.0), ("backbone.stages.block4.0.weight", 0.5)):
        step, slowed_step = (m.state_dict()[name] - before[name] for m in (plain, slowed))
        assert torch.allclose(slowed_step, factor * step, atol=1e-7)


def test_partial_batch_norm_keeps_all_statistics_but_the_first(tmp_path: Path) -> None:
    model = single_frame(partial_batch_norm=True)
    before = snapshot(model)
    train(model, tmp_path, epochs=1)
    statistics = {n for n, v in model.state_dict().items() if "running" in n and not torch.equal(v, before[n])}
    assert statistics == {"backbone.stages.block1.1.running_mean", "backbone.stages.block1.1.running_var"}
    gamma = "backbone.stages.block4.1.weight"
    assert not torch.equal(model.state_dict()[gamma], before[gamma])


def test_each_backbone_of_a_model_is_frozen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TwoStream(
        class_names=CLASSES,
        clip=CLIP,
        spatial="small",
        temporal="small",
        optimization=SGD,
        transfer=TransferSettings(freeze="block2"),
    )
    before = snapshot(model)
    train(model, tmp_path, epochs=1)
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    for part in ("spatial", "temporal"):
        for stage, frozen in zip(STAGES, (True, True, False, False), strict=True):
            assert (f"nets.{part}.stages.{stage}.0.weight" in same) is frozen


@pytest.mark.parametrize(
    "build",
    [
        lambda transfer: Conv3D(class_names=CLASSES, clip=CLIP, backbone="small_3d", transfer=transfer),
        lambda transfer: RecurrentConv(
            class_names=CLASSES, clip=CLIP, backbone="small", levels=["block3"], widths=[4], transfer=transfer
        ),
        lambda transfer: SlowFusion(
            class_names=CLASSES, clip=CLIP, backbone="small", extents=[2], strides=[1], transfer=transfer
        ),
    ],
    ids=["Conv3D", "RecurrentConv", "SlowFusion"],
)
def test_3d_recurrent_and_fused_networks_are_frozen_alike(build: object, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build(TransferSettings(freeze="block2"))  # type: ignore[operator]
    before = snapshot(model)
    train(model, tmp_path, epochs=1)
    stages = {name for name in moved(model, before) if name.startswith("block")}
    assert stages
    assert not stages & {"block1", "block2"}


def test_a_stage_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"freeze: backbone has no stage 'layer3': use one of block1, block2"):
        single_frame(freeze="layer3")
    with pytest.raises(ValueError, match=r"transfer\.unfreeze: backbone has no stage 'all'"):
        single_frame(freeze="all", unfreeze={1: "all"})


@pytest.mark.parametrize("unfreeze", [{1: "block3"}, {1: "block2", 2: "block2"}, {1: "block1", 2: "block2"}])
def test_unfreezing_in_the_wrong_order_is_refused(unfreeze: dict[int, str]) -> None:
    with pytest.raises(ValueError, match="is trained already before epoch"):
        single_frame(freeze="block2", unfreeze=unfreeze)


def test_what_is_frozen_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train(single_frame(freeze="block3", unfreeze={1: "block1"}), tmp_path, epochs=1)
    # 9 * 32 * 64 + 2 * 64 of block4, 64 * 3 + 3 of the head; 32,976 + 195 in all
    assert "frozen up to block3: 18,755 of 33,171 parameters are trained; from epoch 1 on also block1" in caplog.text


def test_layers_of_ours_can_be_frozen_without_normalisation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SingleFrame(
        class_names=CLASSES,
        clip=CLIP,
        backbone="small",
        optimization=SGD,
        layers=LayerSettings(norm="none"),
        transfer=TransferSettings(freeze="block1"),
    )
    before = snapshot(model)
    train(model, tmp_path, epochs=1)
    assert "block1" not in moved(model, before)


def test_an_encoder_of_transformers_is_slower_from_layer_to_layer_and_recomputes_where_asked(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "mae", CLASSIFIERS["videomae"])
    settings = TransferSettings(lr_decay=0.5, gradient_checkpointing=True)
    model = Conv3D(class_names=CLASSES, clip=CLIP, backbone=name, optimization=SGD, transfer=settings)
    assert model.staged is not None
    groups = model.staged.parameter_groups(model.parameters(), 1.0)
    assert {str(group["name"]): group["lr"] for group in groups} == {
        "head": 1.0,
        "backbone.read_out": 0.5,  # its last normalisation
        "backbone.layer2": 0.25,
        "backbone.layer1": 0.125,
        "backbone.patches": 0.0625,
    }
    assert model.backbone.recomputes
    assert not Conv3D(class_names=CLASSES, clip=CLIP, backbone=name).backbone.recomputes
