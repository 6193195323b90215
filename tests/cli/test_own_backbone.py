"""A backbone in a user's own folder, named on the command line, with arguments, under the rules of trusted classes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vidcls.layers import build_backbone, build_backbone_3d, is_3d
from vidcls.models import read_checkpoint

Command = Callable[..., object]
MY_BACKBONE = """
from torch import nn
from vidcls.layers import Backbone


class Mine(Backbone):
    def __init__(self, in_channels: int = 3, *, width: int = 4) -> None:
        stages = {"only": nn.Conv2d(in_channels, width, 3, stride=4)}
        super().__init__(stages, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), num_features=width)


class Mine3D(Backbone):
    def __init__(self, in_channels: int) -> None:
        stages = {"only": nn.Conv3d(in_channels, 2, 1)}
        read_out = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten())
        super().__init__(stages, read_out, num_features=2, input_len=4)


class NoBackbone:
    def __init__(self, in_channels: int) -> None:
        raise AssertionError("made")
"""
SIZES = [
    "--data.transform.resize_px",
    "32",
    "--data.transform.crop_px",
    "32",
    "--data.clip_len",
    "2",
    "--data.num_workers",
    "0",
]


@pytest.fixture
def own(tmp_path: Path) -> str:
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MY_BACKBONE)
    return name


def test_it_is_trained_recorded_and_loaded_where_it_is_allowed(
    vidcls: Command, own: str, clip_folder: Path, tmp_path: Path
) -> None:
    words = ["fit", "--model", "SingleFrame", "--model.backbone", f"{own}.Mine(width=5)", "--run", "mine"]
    data = ["--data", "video_folder", "--data.dataset.root", clip_folder, *SIZES]
    trainer = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    assert vidcls(*words, *data, *trainer).status == 0
    facts = read_checkpoint("mine/checkpoints/best.ckpt")
    assert facts.model_arguments["backbone"] == f"{own}.Mine(width=5)"
    assert facts.state_dict["backbone.stages.only.weight"].shape == (5, 3, 3, 3)
    video = next((clip_folder / "test" / "left").iterdir())
    del sys.modules[own]  # as in a process that has not imported it
    line = vidcls("predict", "mine", video, "--device", "cpu").refusal()
    assert f"add --allow-class {own}" in line
    assert f"add --allow-class {own}" in vidcls("test", "--run", "mine").refusal()
    assert own not in sys.modules
    assert vidcls("predict", "mine", video, "--device", "cpu", "--allow-class", own).status == 0
    assert vidcls("test", "--run", "mine", "--allow-class", own).status == 0


def test_it_takes_any_channels_and_knows_its_dimensions(
    vidcls: Command, own: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__(own)  # what the program has imported it trusts
    assert build_backbone(f"{own}.Mine(width=3)", 7)(torch.zeros(1, 7, 16, 16)).shape == (1, 3)
    assert build_backbone_3d(f"{own}.Mine3D", 2)(torch.zeros(1, 2, 4, 8, 8)).shape == (1, 2)
    with pytest.raises(ValueError, match="is a 3D network"):
        build_backbone(f"{own}.Mine3D")
    with pytest.raises(ValueError, match="is a 2D network"):
        build_backbone_3d(f"{own}.Mine")
    assert (is_3d(f"{own}.Mine3D"), is_3d(f"{own}.Mine"), is_3d("resnet18")) == (True, False, False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("OWN.Mine(widht=3)", "unknown argument widht; did you mean width?"),
        ("OWN.Mine(3)", "expected plain values by name, such as"),
        ("OWN.Mine(width=open)", "expected plain values by name"),
        ("OWN.Mine(in_channels=3)", "in_channels is set by the model"),
        ("OWN.NoBackbone", "is not a subclass of vidcls.layers.Backbone"),
        ("OWN.Gone", "cannot be imported"),
        ("gone_module.Net", "cannot be imported (No module named 'gone_module')"),
        ("os.system(command='x')", "nothing that a configuration or a checkpoint may name"),
        ("torch.nn.Linear(in_features=1)", "is not a subclass of vidcls.layers.Backbone"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(vidcls: Command, own: str, tiny: Path, name: str, message: str) -> None:
    words = ["--config", tiny, "--model.spatial", name.replace("OWN", own)]
    assert message in vidcls("fit", *words, "--model.temporal", "small").refusal()


def test_layers_that_it_does_not_take_are_refused(vidcls: Command, own: str, tiny: Path) -> None:
    line = vidcls("fit", "--config", tiny, "--model.spatial", f"{own}.Mine", "--model.layers.norm", "none").refusal()
    assert "takes no layers, which this model sets" in line
