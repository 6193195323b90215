"""3D backbones by name: torchvision's give their features, and their reach in time is counted right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from vidcls.errors import ConfigurationError
from vidcls.layers import LayerSettings, build_backbone_3d, is_3d
from vidcls.layers.backbones_3d import OWN_3D, frames_seen

RESNETS = ["r3d_18", "mc3_18", "r2plus1d_18"]
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("s3d", "swin3d_t", "mvit_v2_s")]


def before_the_classifier(network: nn.Module, clip: Tensor) -> Tensor:
    seen: list[Tensor] = []
    last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    last.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    with torch.no_grad():
        network(clip)
    return seen[0].flatten(1)


@pytest.mark.parametrize("name", [*RESNETS, *OTHERS])
def test_the_features_are_those_before_the_classifier_of_the_original(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = models.get_model(name, weights=None).eval()
    torch.save(original.state_dict(), tmp_path / "w.pth")
    shape = (1, 3, 4, 32, 32) if name in RESNETS else (1, 3, 16, 224, 224)
    clip = torch.randn(shape)
    net = build_backbone_3d(name, weights=str(tmp_path / "w.pth")).eval()
    with torch.no_grad():
        features = net(clip)
    if name == "s3d":  # its classifier is a convolution on the pooled maps
        with torch.no_grad():
            expected = original.avgpool(original.features(clip)).mean(dim=(2, 3, 4))
    else:
        expected = before_the_classifier(original, clip)
    assert features.shape == (1, net.num_features)
    assert torch.allclose(features, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "num_features"),
    [("s3d", 1024), ("swin3d_t", 768), ("mvit_v2_s", 768), ("r2plus1d_18", 512), ("c3d", 4096), ("small_3d", 64)],
)
def test_every_family_gives_its_features(name: str, num_features: int) -> None:
    with torch.device("meta"):
        net = build_backbone_3d(name)
        shapes = net.shapes()
    assert net.num_features == num_features
    assert shapes["read_out"] == (num_features,)


def test_mvit_takes_one_size_and_says_so() -> None:
    with torch.device("meta"):
        net = build_backbone_3d("mvit_v2_s")
        clip = torch.empty(1, 3, 8, 112, 112)
    with pytest.raises(ConfigurationError, match="mvit takes 16 frames of 224x224, got 8 of 112x112"):
        net(clip)


# Each layer adds (extent - 1) times the product of the strides before it.
# small_3d: 1 + 2 + 2 + 2 * 2 + 2 * 4 = 17 (strides 1, 2, 2, 1)
# c3d: 1 + 2 + 2 + 1, then 2 * (2 + 2 + 1) + 4 * (2 + 2 + 1) + 8 * (2 + 2 + 1) with pools of 2: 76
# r3d_18: 1 + 2 + 4 * 2, then 2 + 3 * 4, then 2 * 2 + 3 * 8, then 4 * 2 + 3 * 16: 109
@pytest.mark.parametrize(("name", "reach"), [("small_3d", 17), ("c3d", 76), ("r3d_18", 109)])
def test_the_reach_in_time_is_that_of_the_layers(name: str, reach: int) -> None:
    with torch.device("meta"):
        net = build_backbone_3d(name)
    assert frames_seen(net, 1000) == reach
    assert frames_seen(net, 8) == 8


def test_a_transformer_sees_the_whole_clip() -> None:
    with torch.device("meta"):
        net = build_backbone_3d("swin3d_t")
    assert frames_seen(net, 32) == 32


def test_names_that_mean_3d_networks() -> None:
    assert all(is_3d(name) for name in ("small_3d", "c3d", "i3d_resnet50", "r3d_18", "mvit_v2_s"))
    assert not any(is_3d(name) for name in ("small", "resnet18", "vgg16", "karpathy"))


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown 3D backbone 'resnet18': use one of these: small_3d, .*i3d_resnet50"):
        build_backbone_3d("resnet18")
    with pytest.raises(ValueError, match="unknown 3D backbone 'i3d_vgg16'"):
        build_backbone_3d("i3d_vgg16")


@pytest.mark.parametrize("name", sorted(OWN_3D))
def test_one_of_ours_has_no_weights_to_download(name: str) -> None:
    with pytest.raises(ValueError, match="has no ready-made weights, got weights='DEFAULT': pass the path of a file"):
        build_backbone_3d(name, weights="DEFAULT")


def test_layers_of_others_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="backbone 'r3d_18' has layers of its own"):
        build_backbone_3d("r3d_18", layers=LayerSettings(norm="group"))


def test_flow_has_two_channels() -> None:
    assert build_backbone_3d("small_3d", 2)(torch.randn(1, 2, 8, 16, 16)).shape == (1, 64)
