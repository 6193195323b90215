"""Every classifier of torchvision, cut into stages, gives what torchvision's own gives before its classifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from vidcls.errors import ConfigurationError
from vidcls.layers import build_backbone
from vidcls.layers.backbones.torchvision_stages import FAMILIES
from vidcls.layers.backbones.torchvision_zoo import torchvision_names

pytestmark = pytest.mark.filterwarnings("ignore")  # of torchvision, on the initial weights of googlenet

SMALLEST = {  # of each family, its features and its stages by hand
    "alexnet": ("alexnet", 4096, 3),
    "convnext": ("convnext_tiny", 768, 4),
    "densenet": ("densenet121", 1024, 5),
    "efficientnet": ("efficientnet_b0", 1280, 9),
    "googlenet": ("googlenet", 1024, 5),
    "inception_v3": ("inception_v3", 2048, 5),
    "maxvit": ("maxvit_t", 512, 5),
    "mnasnet": ("mnasnet0_5", 1280, 17),
    "mobilenet_v2": ("mobilenet_v2", 1280, 19),
    "mobilenet_v3": ("mobilenet_v3_small", 1024, 13),
    "regnet": ("regnet_y_400mf", 440, 5),
    "resnet": ("resnet18", 512, 5),
    "resnext": ("resnext50_32x4d", 2048, 5),
    "shufflenet": ("shufflenet_v2_x0_5", 1024, 5),
    "squeezenet": ("squeezenet1_1", 512, 13),
    "swin": ("swin_t", 768, 5),
    "vgg": ("vgg11", 4096, 5),
    "vit": ("vit_b_32", 768, 13),
    "wide_resnet": ("wide_resnet50_2", 2048, 5),
}
ONLY_224 = ("maxvit", "vit")
BIG = ("wide_resnet", "vgg", "vit", "alexnet")  # hundreds of megabytes: in the slow suite


def family_cases() -> list[object]:
    return [pytest.param(f, marks=pytest.mark.slow) if f in BIG else f for f in SMALLEST]


def before_the_classifier(network: nn.Module, frames: Tensor) -> Tensor:
    """What the last layer of the original is given."""
    seen: list[Tensor] = []
    last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    hook = last.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    with torch.no_grad():
        network(frames)
    hook.remove()
    return seen[0].flatten(1)


def test_each_family_of_torchvision_has_its_case() -> None:
    assert set(SMALLEST) == set(FAMILIES)
    assert all(any(name.startswith(family) for family in FAMILIES) for name in torchvision_names())


@pytest.mark.parametrize("family", [family for family in SMALLEST if family != "squeezenet"])
def test_the_stages_and_the_features_of_a_family_are_counted_right(family: str) -> None:
    name, num_features, num_stages = SMALLEST[family]
    with torch.device("meta"):
        net = build_backbone(name)
        shapes = net.shapes()
    assert len(net.stages) == num_stages
    assert net.num_features == num_features
    assert shapes["read_out"] == (num_features,)
    if family != "vit":  # whose stages but the last are tokens
        assert all(len(shapes[stage]) == 3 for stage in net.stages)
        assert shapes[net.stage_names[-1]][0] == net.num_map_channels


@pytest.mark.parametrize("family", [f for f in family_cases() if f != "squeezenet"])
def test_the_features_are_those_before_the_classifier_of_the_original(family: str, tmp_path: Path) -> None:
    name = SMALLEST[family][0]
    torch.manual_seed(0)
    arguments = {"init_weights": False, "aux_logits": False} if family in ("googlenet", "inception_v3") else {}
    original = models.get_model(name, weights=None, **arguments).eval()
    if arguments:
        original.transform_input = True  # as torchvision does where it has weights
    side = 224 if family in ONLY_224 else 75 if family == "inception_v3" else 64
    frames = torch.randn(2, 3, side, side)
    expected = before_the_classifier(original, frames)
    torch.save(original.state_dict(), tmp_path / "w.pth")
    net = build_backbone(name, weights=str(tmp_path / "w.pth")).eval()
    with torch.no_grad():
        features = net(frames)
    assert torch.allclose(features, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert float(expected.abs().max()) > 0


def test_the_features_of_squeezenet_are_the_mean_of_its_last_maps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = models.squeezenet1_1(weights=None).eval()
    torch.save(original.state_dict(), tmp_path / "w.pth")
    frames = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = original.features(frames).mean(dim=(2, 3))
        assert torch.allclose(build_backbone("squeezenet1_1", weights=str(tmp_path / "w.pth")).eval()(frames), expected)


@pytest.mark.parametrize("name", ["maxvit_t", "vit_b_32"])
def test_a_network_of_one_size_refuses_others_in_one_line(name: str) -> None:
    with torch.device("meta"):
        net = build_backbone(name)
    with pytest.raises(ConfigurationError, match=r"takes frames of 224x224, got 112x96: set transform\.crop_px to 224"):
        net(torch.empty(1, 3, 112, 96, device="meta"))


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v2", "swin_t", "convnext_tiny", "regnet_y_400mf"])
def test_a_network_takes_the_channels_of_stacked_flow(name: str) -> None:
    with torch.device("meta"):
        net = build_backbone(name, 20)
    assert net.stem.in_channels == 20
    assert net.shapes((20, 64, 64))["read_out"] == (net.num_features,)


@pytest.mark.slow
@pytest.mark.parametrize("name", torchvision_names())
def test_every_classifier_of_torchvision_can_be_built(name: str) -> None:
    with torch.device("meta"):
        net = build_backbone(name)
        assert net.shapes()["read_out"] == (net.num_features,)


@pytest.mark.parametrize(
    ("name", "first_fc", "num_features"),
    [
        ("vgg16", 205_524_992, 4096),  # 7 * 7 * 1024 * 4096 + 4096
        ("alexnet", 75_501_568, 4096),  # 6 * 6 * 512 * 4096 + 4096
        ("mobilenet_v3_small", 1_180_672, 1024),  # 1152 * 1024 + 1024
    ],
)
def test_the_first_fully_connected_layer_sees_the_maps_of_all_towers(
    name: str, first_fc: int, num_features: int
) -> None:
    with torch.device("meta"):
        net = build_backbone(name, num_towers=2)
    fc = next(m for m in net.read_out.modules() if isinstance(m, nn.Linear))
    assert sum(p.numel() for p in fc.parameters()) == first_fc
    assert net.num_features == num_features
    maps = torch.empty(1, 2 * net.num_map_channels, 7, 7, device="meta")
    assert net.eval().read_out(maps).shape == (1, num_features)


def test_equal_towers_with_given_weights_give_what_one_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(models.mobilenet_v3_small(weights=None).state_dict(), tmp_path / "w.pth")
    one, two = (
        build_backbone("mobilenet_v3_small", weights=str(tmp_path / "w.pth"), num_towers=n).eval() for n in (1, 2)
    )
    maps = torch.randn(2, one.num_map_channels, 3, 3)
    with torch.no_grad():
        assert torch.allclose(two.read_out(torch.cat([maps, maps], dim=1)), one.read_out(maps), atol=1e-5)
