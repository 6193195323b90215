"""Backbones against tables worked out by hand from their papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers import build_backbone
from vidcls.layers.backbones import OWN, CnnM2048

# Layer, kernel, stride, output channels, output side at 224 px (convolutions before their pool), parameters. The counts
# are kernel * kernel * channels in * channels out + channels out.
CNN_M_2048_CONVOLUTIONS = [
    ("conv1", 7, 2, 96, 109, 14_208),  # 7 * 7 * 3 * 96 + 96
    ("conv2", 5, 2, 256, 26, 614_656),  # 5 * 5 * 96 * 256 + 256
    ("conv3", 3, 1, 512, 13, 1_180_160),  # 3 * 3 * 256 * 512 + 512
    ("conv4", 3, 1, 512, 13, 2_359_808),  # 3 * 3 * 512 * 512 + 512
    ("conv5", 3, 1, 512, 13, 2_359_808),
]
CNN_M_2048_SIDES_AFTER_STAGE = {"conv1": 54, "conv2": 13, "conv3": 13, "conv4": 13, "conv5": 6}
FC6_PARAMETERS = 75_501_568  # 6 * 6 * 512 * 4096 + 4096
FC7_PARAMETERS = 8_390_656  # 4096 * 2048 + 2048
CNN_M_2048_PARAMETERS = 90_420_864  # the sum


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def cnn_m_2048(name: str = "cnn_m_2048", in_channels: int = 3) -> CnnM2048:
    with torch.device("meta"):
        net = build_backbone(name, in_channels)
    assert isinstance(net, CnnM2048)
    return net


def shapes_by_module(net: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, output, name=name: found.__setitem__(name, tuple(output.shape)))
        for name, module in net.named_modules()
    ]
    net.eval()(torch.empty(shape, device="meta"))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(("name", "kernel", "stride", "channels", "side", "parameters"), CNN_M_2048_CONVOLUTIONS)
def test_each_convolution_of_cnn_m_2048_is_that_of_the_paper(
    name: str, kernel: int, stride: int, channels: int, side: int, parameters: int
) -> None:
    net = cnn_m_2048()
    convolution = net.stages[name][0]
    assert convolution.kernel_size == (kernel, kernel)
    assert convolution.stride == (stride, stride)
    assert num_parameters(convolution) == parameters
    assert shapes_by_module(net, (2, 3, 224, 224))[f"stages.{name}.0"] == (2, channels, side, side)


def test_the_stages_and_the_fully_connected_layers_of_cnn_m_2048_have_the_sizes_of_the_paper() -> None:
    net = cnn_m_2048()
    shapes = shapes_by_module(net, (2, 3, 224, 224))
    assert {name: shapes[f"stages.{name}"][-1] for name in net.stages} == CNN_M_2048_SIDES_AFTER_STAGE
    assert shapes["read_out.1"] == (2, 4096)
    assert shapes["read_out.4"] == (2, 2048)
    assert net.num_features == 2048
    assert num_parameters(net.read_out[1]) == FC6_PARAMETERS
    assert num_parameters(net.read_out[4]) == FC7_PARAMETERS
    assert num_parameters(net) == CNN_M_2048_PARAMETERS


def test_the_spatial_net_normalises_twice_and_the_temporal_net_once() -> None:
    for name, places in (
        ("cnn_m_2048", ["stages.conv1.2", "stages.conv2.2"]),
        ("cnn_m_2048_temporal", ["stages.conv1.2"]),
    ):
        norms = {n: m for n, m in cnn_m_2048(name).named_modules() if isinstance(m, nn.LocalResponseNorm)}
        assert list(norms) == places
        # alpha is 1e-4 in the paper; PyTorch divides it by the 5 channels
        assert all((m.k, m.size, m.alpha, m.beta) == (2, 5, 5e-4, 0.75) for m in norms.values())


def test_the_temporal_net_sees_twenty_channels() -> None:
    net = cnn_m_2048("cnn_m_2048_temporal", in_channels=20)
    assert net.stem.weight.shape == (96, 20, 7, 7)
    assert num_parameters(net) == CNN_M_2048_PARAMETERS + 7 * 7 * 17 * 96
    assert shapes_by_module(net, (2, 20, 224, 224))["read_out.4"] == (2, 2048)


def test_pools_of_cnn_m_2048_are_three_by_three_of_stride_two_and_overlap() -> None:
    pools = [m for m in cnn_m_2048().modules() if isinstance(m, nn.MaxPool2d)]
    assert [(p.kernel_size, p.stride) for p in pools] == [(3, 2)] * 3


def test_cnn_m_2048_refuses_another_size_and_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"cnn_m_2048 takes 224x224.*set transform\.crop_px"):
        cnn_m_2048()(torch.empty(1, 3, 112, 112, device="meta"))


def test_the_small_net_has_32976_parameters() -> None:
    # 9 * (3 * 16 + 16 * 32 + 32 * 32 + 32 * 64) weights of convolutions, 2 * (16 + 32 + 32 + 64) of normalisation
    net = build_backbone("small")
    assert num_parameters(net) == 32_688 + 288 == 32_976


@pytest.mark.parametrize("in_channels", [3, 2, 20])
def test_the_small_net_takes_any_channels_and_any_size(in_channels: int) -> None:
    net = build_backbone("small", in_channels)
    assert net.stem.in_channels == in_channels
    for height, width in ((64, 64), (33, 20)):
        assert net(torch.randn(2, in_channels, height, width)).shape == (2, net.num_features) == (2, 64)


@pytest.mark.parametrize(("name", "num_features"), [("resnet18", 512), ("resnet50", 2048), ("vgg11_bn", 4096)])
@pytest.mark.parametrize("in_channels", [3, 20])
def test_a_torchvision_network_takes_any_channels_and_gives_its_features(
    name: str, num_features: int, in_channels: int
) -> None:
    with torch.device("meta"):
        net = build_backbone(name, in_channels)
    assert net.stem.in_channels == in_channels
    assert net.num_features == num_features
    assert net.eval()(torch.empty(2, in_channels, 224, 224, device="meta")).shape == (2, num_features)


def test_every_backbone_lists_stages_whose_last_gives_the_last_feature_map() -> None:
    for name, channels in (("small", 64), ("cnn_m_2048", 512), ("resnet18", 512), ("vgg11", 512)):
        with torch.device("meta"):
            net = build_backbone(name)
        shapes = shapes_by_module(net, (2, 3, 224, 224))
        last = next(n for n, module in net.named_modules() if module is list(net.stages.values())[-1])
        assert shapes[last][:2] == (2, channels)
        assert len(shapes[last]) == 4


def test_weights_from_a_file_are_loaded(tmp_path: Path) -> None:
    source = models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    net = build_backbone("resnet18", weights=str(tmp_path / "resnet18.pth"))
    picture = torch.randn(2, 3, 64, 64)
    source.fc = nn.Identity()
    assert torch.equal(net.eval()(picture), source.eval()(picture))


def test_weights_for_flow_have_the_mean_of_the_rgb_kernels_in_every_channel(tmp_path: Path) -> None:
    source = models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    net = build_backbone("resnet18", 20, weights=str(tmp_path / "resnet18.pth"))
    mean = source.conv1.weight.sum(dim=1) / 3
    assert net.stem.weight.shape == (64, 20, 7, 7)
    for channel in range(20):
        assert torch.allclose(net.stem.weight[:, channel], mean, atol=1e-7)
    assert torch.equal(net.get_submodule("stages.layer1.0.conv1").weight, source.layer1[0].conv1.weight)


def test_without_weights_the_new_stem_is_random() -> None:
    stem = build_backbone("resnet18", 20).stem
    assert not torch.allclose(stem.weight[:, 0], stem.weight[:, 1])


def test_an_unknown_backbone_is_answered_with_the_names() -> None:
    with pytest.raises(ValueError, match=r"unknown backbone 'resnet19': did you mean resnet18.* lists them"):
        build_backbone("resnet19")


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_backbone_of_ours_has_no_weights_to_take(name: str) -> None:
    with pytest.raises(ValueError, match="no ready-made weights, got weights='DEFAULT'"):
        build_backbone(name, weights="DEFAULT")


def test_a_wrong_file_of_weights_is_one_line_that_names_it(tmp_path: Path) -> None:
    other = tmp_path / "vgg.pth"
    torch.save(nn.Linear(2, 2).state_dict(), other)
    text = tmp_path / "text.pth"
    text.write_text("hello")
    for path, reason in (
        (other, "does not hold weights of a ResNet"),
        (text, "holds more than tensors and plain values"),
    ):
        with pytest.raises(CheckpointError, match=rf"{path.name}: {reason}") as error:
            build_backbone("resnet18", weights=str(path))
        assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError, match=r"absent\.pth: no such file"):
        build_backbone("resnet18", weights=str(tmp_path / "absent.pth"))
    with pytest.raises(ConfigurationError, match="weights='IMAGENET' is neither a file nor a name"):
        build_backbone("resnet18", weights="IMAGENET")
