"""LeNet-5, AlexNet of 2012 and the CIFAR networks against tables worked out by hand from their papers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers import Backbone, LayerSettings, build_backbone
from vidcls.layers.backbones import CifarNet
from vidcls.layers.backbones.lenet5 import ScaledTanh
from vidcls.layers.layer_table import LayerRow, layer_table, num_multiply_adds, num_parameters

NAMES = ("lenet5", "alexnet_2012", "plain20", "resnet20")
SIDES_PX = {"lenet5": 32, "alexnet_2012": 227, "plain20": 32, "resnet20": 32}

# LeCun et al. 1998, section II-B, with one input channel: layer, maps, side, parameters as printed there.
LENET5 = {
    "c1": (6, 28, 156),  # (5 * 5 + 1) * 6
    "s2": (6, 14, 12),  # a coefficient and a bias for each of 6 maps
    "c3": (16, 10, 1_516),  # 60 connections of maps * 5 * 5 + 16
    "s4": (16, 5, 32),
    "c5": (120, 1, 48_120),  # (16 * 5 * 5 + 1) * 120
}
F6 = 10_164  # (120 + 1) * 84

# LeCun et al. 1998, table I: a row for each map of S2, a column for each map of C3.
TABLE_I = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]

# Krizhevsky et al. 2012, section 3.5, the counts being kernel^2 * channels in / groups * maps + maps:
# layer, kernel, stride, padding, maps, side, parameters, multiply-adds for 227x227 (weights * side^2).
ALEXNET_CONVOLUTIONS = [
    ("stages.conv1.0", 11, 4, 0, 96, 55, 34_944, 105_415_200),  # 34,848 * 3,025
    ("stages.conv2.0", 5, 1, 2, 256, 27, 307_456, 223_948_800),  # 5 * 5 * 48 * 256 = 307,200; * 729
    ("stages.conv3.0", 3, 1, 1, 384, 13, 885_120, 149_520_384),  # 3 * 3 * 256 * 384 = 884,736; * 169
    ("stages.conv4.0", 3, 1, 1, 384, 13, 663_936, 112_140_288),  # 3 * 3 * 192 * 384 = 663,552; * 169
    ("stages.conv5.0", 3, 1, 1, 256, 13, 442_624, 74_760_192),  # 3 * 3 * 192 * 256 = 442,368; * 169
]
ALEXNET_GROUPS = {"conv1": 1, "conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}
ALEXNET_POOLS = [("stages.conv1.3", (96, 27, 27)), ("stages.conv2.3", (256, 13, 13)), ("stages.conv5.2", (256, 6, 6))]
ALEXNET_FC = [
    37_752_832,  # 256 * 6 * 6 * 4096 + 4096
    16_781_312,  # 4096 * 4096 + 4096
]

# He et al. 2015, section 4.2: stage, (maps in, maps out, stride) of its convolutions, side at 32x32, parameters with
# gamma and beta of each map. In all 269,072 and 852,368: with 650 of the classifier the paper's 0.27 M and 0.85 M.
CIFAR_20 = {
    "stem": ([(3, 16, 1)], 32, 464),  # 9 * 3 * 16 + 2 * 16
    "group1": ([(16, 16, 1)] * 6, 32, 14_016),  # 6 * (2,304 + 32)
    "group2": ([(16, 32, 2), *[(32, 32, 1)] * 5], 16, 51_072),  # 4,608 + 5 * 9,216 + 6 * 64
    "group3": ([(32, 64, 2), *[(64, 64, 1)] * 5], 8, 203_520),  # 18,432 + 5 * 36,864 + 6 * 128
}
CIFAR_56 = {
    "stem": ([(3, 16, 1)], 32, 464),
    "group1": ([(16, 16, 1)] * 18, 32, 42_048),  # 18 * (2,304 + 32)
    "group2": ([(16, 32, 2), *[(32, 32, 1)] * 17], 16, 162_432),  # 4,608 + 17 * 9,216 + 18 * 64
    "group3": ([(32, 64, 2), *[(64, 64, 1)] * 17], 8, 647_424),  # 18,432 + 17 * 36,864 + 18 * 128
}


def on_meta(name: str, in_channels: int = 3, *, layers: LayerSettings | None = None, num_towers: int = 1) -> Backbone:
    with torch.device("meta"):
        return build_backbone(name, in_channels, layers=layers, num_towers=num_towers)


def rows_of(net: Backbone, *shape: int) -> dict[str, LayerRow]:
    return {row.name: row for row in layer_table(net, shape)}


def of_type(net: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, kinds)]


# LeNet-5


def test_each_layer_of_lenet5_has_the_maps_and_parameters_of_the_paper() -> None:
    net = on_meta("lenet5", in_channels=1)
    shapes = net.shapes()
    assert {name: (*shapes[name][:2], num_parameters(stage)) for name, stage in net.stages.items()} == LENET5
    assert num_parameters(net.read_out) == F6
    assert shapes["read_out"] == (84,)
    assert num_parameters(net) == 60_000  # the paper's 60,000 trainable parameters


def test_kernels_of_lenet5_are_five_by_five_of_stride_one() -> None:
    found = [m for m in on_meta("lenet5").modules() if isinstance(m, nn.Conv2d)]
    assert {(m.kernel_size, m.stride, m.padding) for m in found} == {((5, 5), (1, 1), (0, 0))}


def test_each_map_of_c3_sees_the_maps_of_the_papers_table() -> None:
    convolution = build_backbone("lenet5").get_submodule("stages.c3.0")
    for parameter in convolution.parameters():
        nn.init.constant_(parameter, 0.0 if parameter.ndim == 1 else 1.0)  # no biases, all kernels 1
    maps = 2.0 ** torch.arange(6).view(1, 6, 1, 1).expand(1, 6, 5, 5)  # the sum tells which maps went into it
    seen = [sum(25 * 2**k for k, row in enumerate(TABLE_I) if row[m] == "X") for m in range(16)]
    assert convolution(maps).flatten().tolist() == seen


@pytest.mark.parametrize("stage", ["s2", "s4"])
def test_subsampling_of_lenet5_is_a_coefficient_times_the_sum_plus_a_bias_squashed(stage: str) -> None:
    subsampling = build_backbone("lenet5").stages[stage]
    coefficient, bias = subsampling.parameters()
    nn.init.constant_(coefficient, 0.1)
    nn.init.constant_(bias, 0.5)
    num_maps = coefficient.numel()
    places = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, num_maps, 2, 2)
    # 1.7159 * tanh(2 / 3 * (.1 * 10 + .5)) = 1.7159 * .7615942
    assert subsampling(places).flatten().tolist() == pytest.approx([1.306819] * num_maps, abs=1e-5)


def test_the_squashing_of_lenet5_is_one_at_one() -> None:
    found = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 3.0, 50.0]))
    assert found.tolist() == pytest.approx([-1.0, 0.0, 1.0, 1.654175, 1.7159], abs=1e-5)
    assert len(of_type(on_meta("lenet5"), ScaledTanh)) == 6


def test_lenet5_takes_larger_pictures_and_says_so_of_smaller_ones() -> None:
    net = on_meta("lenet5")
    assert net.shapes((3, 64, 40))["c5"] == (120, 9, 3)
    assert net.shapes((3, 64, 40))["read_out"] == (84,)
    for height, width in ((31, 32), (40, 31), (8, 8)):
        with pytest.raises(ConfigurationError, match=rf"32x32.* got {height}x{width}: .*transform\.crop_px"):
            net(torch.empty(1, 3, height, width, device="meta"))


# AlexNet


@pytest.mark.parametrize(
    ("name", "kernel", "stride", "padding", "maps", "side", "parameters", "work"), ALEXNET_CONVOLUTIONS
)
def test_each_convolution_of_alexnet_is_that_of_the_paper(
    name: str, kernel: int, stride: int, padding: int, maps: int, side: int, parameters: int, work: int
) -> None:
    row = rows_of(on_meta("alexnet_2012"), 1, 3, 227, 227)[name]
    assert (row.kernel, row.stride, row.padding) == ((kernel,) * 2, (stride,) * 2, (padding,) * 2)
    assert row.output_shape == (maps, side, side)
    assert (row.num_parameters, row.num_multiply_adds) == (parameters, work)


def test_pools_groups_and_fully_connected_layers_of_alexnet_are_those_of_the_paper() -> None:
    net = on_meta("alexnet_2012")
    rows = rows_of(net, 1, 3, 227, 227)
    pools = [row for row in rows.values() if row.kind == "MaxPool2d"]
    assert [(row.name, row.output_shape) for row in pools] == ALEXNET_POOLS
    assert {(row.kernel, row.stride, row.padding) for row in pools} == {((3, 3), (2, 2), (0, 0))}
    assert {name: net.get_submodule(f"stages.{name}.0").groups for name in net.stages} == ALEXNET_GROUPS
    fully_connected = [row for row in rows.values() if row.kind == "Linear"]
    assert [row.num_parameters for row in fully_connected] == ALEXNET_FC
    assert [row.output_shape for row in fully_connected] == [(4096,), (4096,)]
    assert num_parameters(net) == 56_868_224  # the sum; 60.97 M with the classifier's 4096 * 1000 + 1000


def test_alexnet_normalises_after_the_first_two_relus_with_the_constants_of_the_paper() -> None:
    net = on_meta("alexnet_2012")
    norms = {name: m for name, m in net.named_modules() if isinstance(m, nn.LocalResponseNorm)}
    assert list(norms) == ["stages.conv1.2", "stages.conv2.2"]
    # alpha is 1e-4 in the paper; PyTorch divides it by the 5 channels
    assert all((m.k, m.size, m.alpha, m.beta) == (2, 5, 5e-4, 0.75) for m in norms.values())
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def test_first_weights_of_alexnet_are_those_of_the_paper() -> None:
    torch.manual_seed(0)
    net = build_backbone("alexnet_2012")
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [float(layer.bias.detach().unique()) for layer in layers if layer.bias is not None] == [0, 1, 0, 1, 1, 1, 1]
    for layer in layers:
        some = layer.weight.detach().flatten()[:30_000]
        assert float(some.std()) == pytest.approx(0.01, rel=0.03)
        assert float(some.mean()) == pytest.approx(0, abs=3e-4)


def test_alexnet_refuses_another_size_and_names_the_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"alexnet_2012 takes 227x227.*set transform\.crop_px"):
        on_meta("alexnet_2012")(torch.empty(1, 3, 224, 224, device="meta"))


# CIFAR networks


@pytest.mark.parametrize(
    ("name", "table"), [("plain20", CIFAR_20), ("resnet20", CIFAR_20), ("plain56", CIFAR_56), ("resnet56", CIFAR_56)]
)
def test_each_convolution_of_a_cifar_network_is_that_of_the_paper(
    name: str, table: dict[str, tuple[Sequence[tuple[int, int, int]], int, int]]
) -> None:
    net = on_meta(name)
    shapes = net.shapes()
    assert net.stage_names == ("stem", "group1", "group2", "group3")
    for stage, (convolutions, side, parameters) in table.items():
        found = [m for m in net.stages[stage].modules() if isinstance(m, nn.Conv2d)]
        assert [(m.in_channels, m.out_channels, m.stride[0]) for m in found] == list(convolutions)
        assert {(m.kernel_size, m.padding, m.groups) for m in found} == {((3, 3), (1, 1), 1)}
        assert shapes[stage] == (convolutions[-1][1], side, side)
        assert num_parameters(net.stages[stage]) == parameters
    assert shapes["read_out"] == (64,)


@pytest.mark.parametrize(("depth", "parameters"), [("20", 269_072), ("56", 852_368)])
def test_plain_and_residual_networks_have_the_same_parameters_and_work(depth: str, parameters: int) -> None:
    plain, residual = on_meta(f"plain{depth}"), on_meta(f"resnet{depth}")
    assert num_parameters(plain) == num_parameters(residual) == parameters
    assert num_multiply_adds(plain, (1, 3, 32, 32)) == num_multiply_adds(residual, (1, 3, 32, 32))


def test_a_residual_network_of_20_layers_needs_40_55_million_multiply_adds() -> None:
    # 432 * 32^2 + 13,824 * 32^2 + 50,688 * 16^2 + 202,752 * 8^2
    assert num_multiply_adds(on_meta("resnet20"), (1, 3, 32, 32)) == 40_550_400


def with_layers_that_give_nothing(name: str) -> Backbone:
    net = build_backbone(name).eval()
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.zeros_(norm.weight)
    return net


@pytest.mark.parametrize("name", ["resnet20", "resnet56"])
def test_the_shortcut_is_the_identity_where_the_shapes_are_equal(name: str) -> None:
    maps = torch.rand(2, 16, 8, 8)
    assert torch.equal(with_layers_that_give_nothing(name).maps(maps, after="stem", until="group1"), maps)


def test_elsewhere_the_shortcut_takes_every_second_place_and_adds_maps_of_zeros() -> None:
    net = with_layers_that_give_nothing("resnet20")
    maps = torch.arange(16 * 15.0).view(1, 16, 3, 5)
    found = net.maps(maps, after="group1", until="group2")
    assert found.shape == (1, 32, 2, 3)
    assert found[0, 0].tolist() == [[0, 2, 4], [10, 12, 14]]
    assert found[0, 15].tolist() == [[225, 227, 229], [235, 237, 239]]
    assert not found[:, 16:].any()


def test_without_shortcuts_nothing_passes_layers_that_give_nothing() -> None:
    assert not with_layers_that_give_nothing("plain20").maps(torch.rand(2, 16, 8, 8), after="stem").any()


@pytest.mark.parametrize("name", ["plain20", "resnet20"])
def test_first_weights_of_the_cifar_networks_are_those_of_he_et_al(name: str) -> None:
    torch.manual_seed(0)
    last = [m for m in build_backbone(name).modules() if isinstance(m, nn.Conv2d)][-1]
    assert float(last.weight.detach().std()) == pytest.approx(0.058926, rel=0.02)  # sqrt(2 / (9 * 64))


@pytest.mark.parametrize(
    ("height", "width", "last"), [(64, 64, (64, 16, 16)), (33, 20, (64, 9, 5)), (8, 8, (64, 2, 2))]
)
def test_cifar_networks_take_any_size(height: int, width: int, last: tuple[int, int, int]) -> None:
    for name in ("plain20", "resnet20"):
        shapes = on_meta(name).shapes((3, height, width))
        assert (shapes["group3"], shapes["read_out"]) == (last, (64,))


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_a_depth_that_no_cifar_network_has_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth is 6n \+ 2.* got {depth}"):
        CifarNet(depth, residual=True)


# All of them


@pytest.mark.parametrize(
    ("name", "num_norms", "num_activations"),
    [("lenet5", 3, 6), ("alexnet_2012", 5, 7), ("plain20", 19, 19), ("resnet20", 19, 19)],
)
def test_settings_replace_the_normalisation_and_the_activation_of_each_net(
    name: str, num_norms: int, num_activations: int
) -> None:
    net = on_meta(name, layers=LayerSettings(norm="group", activation="sigmoid"))
    assert len(of_type(net, nn.GroupNorm)) == num_norms
    assert len(of_type(net, nn.Sigmoid)) == num_activations
    assert not of_type(net, nn.BatchNorm2d, nn.LocalResponseNorm, nn.ReLU, ScaledTanh)
    assert net.shapes()["read_out"] == (net.num_features,)


@pytest.mark.parametrize("name", NAMES)
def test_settings_replace_the_first_weights_of_each_net(name: str) -> None:
    net = build_backbone(name, layers=LayerSettings(init="constant"))
    for layer in of_type(net, nn.Conv2d, nn.Linear):
        for parameter in layer.parameters():
            low, high = parameter.detach().aminmax()
            assert float(low) == float(high) == pytest.approx(0.0 if parameter.ndim == 1 else 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_each_net_takes_any_number_of_channels(name: str) -> None:
    net = on_meta(name, in_channels=20)
    assert net.stem.in_channels == 20
    assert net.shapes()["read_out"] == (net.num_features,)


@pytest.mark.parametrize(
    ("name", "num_features"), [("lenet5", 84), ("alexnet_2012", 4096), ("plain20", 128), ("resnet20", 128)]
)
def test_the_read_out_takes_the_maps_of_two_towers(name: str, num_features: int) -> None:
    net = on_meta(name, num_towers=2)
    side_px = SIDES_PX[name]
    maps = net.maps(torch.empty(2, 3, side_px, side_px, device="meta"))
    assert net.read_out(torch.cat([maps, maps], dim=1)).shape == (2, num_features)
    assert net.num_features == num_features


@pytest.mark.parametrize("name", ["lenet5", "plain20", "resnet20"])
def test_every_parameter_learns_and_clips_do_not_see_each_other(name: str) -> None:
    torch.manual_seed(0)
    net = build_backbone(name)
    pictures = torch.randn(3, 3, 32, 32)
    net(pictures).square().sum().backward()
    for parameter_name, parameter in net.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(net(pictures)[:1], net(pictures[:1]), rtol=0, atol=1e-5)


def test_the_nets_compile_to_one_graph_that_gives_the_same() -> None:
    torch.manual_seed(0)
    pictures: Tensor = torch.randn(2, 3, 32, 32)
    for net in (build_backbone("lenet5").eval(), CifarNet(8, residual=True).eval()):
        compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(pictures), net(pictures), rtol=0, atol=1e-5)
