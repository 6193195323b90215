"""What each word of LayerSettings becomes, against counts and formulas with numbers."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn

from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.layer_table import num_parameters
from vidcls.layers.settings import Activation, Init, Norm

X = torch.tensor([-2.0, 0.0, 3.0])


def convolution() -> nn.Conv2d:
    return nn.Conv2d(64, 32, kernel_size=3)  # 18,432 weights, fan-in 64 * 9 = 576, fan-out 32 * 9 = 288


def initialised(init: Init | None, layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    LayerSettings(init=init).initialise(nn.Sequential(layer))
    return layer


def weights(layer: nn.Module) -> torch.Tensor:
    return cast(torch.Tensor, layer.weight).detach()


@pytest.mark.parametrize(
    ("norm", "kind", "num_groups"),
    [("layer", nn.GroupNorm, 1), ("group", nn.GroupNorm, 8), ("instance", nn.GroupNorm, 48)],
)
def test_a_norm_over_groups_has_one_eight_or_as_many_groups_as_channels(
    norm: Norm, kind: type[nn.Module], num_groups: int
) -> None:
    found = LayerSettings(norm=norm).make_norm(48, nn.BatchNorm2d)
    assert isinstance(found, kind)
    assert found.num_groups == num_groups


@pytest.mark.parametrize(("num_channels", "num_groups"), [(12, 6), (7, 7), (4, 4), (11, 1), (256, 8)])
def test_group_norm_takes_fewer_groups_where_the_channels_do_not_divide(num_channels: int, num_groups: int) -> None:
    assert LayerSettings(norm="group").make_norm(num_channels, nn.BatchNorm2d).num_groups == num_groups


@pytest.mark.parametrize(
    ("norm", "parameters"), [("batch", 96), ("layer", 96), ("instance", 96), ("group", 96), ("none", 0)]
)
def test_every_norm_has_a_gamma_and_a_beta_for_each_channel(norm: Norm, parameters: int) -> None:
    assert num_parameters(LayerSettings(norm=norm).make_norm(48, nn.BatchNorm2d)) == parameters


def test_batch_norm_is_the_one_of_frames_or_of_clips() -> None:
    settings = LayerSettings(norm="batch")
    assert type(settings.make_norm(48, nn.Identity)) is nn.BatchNorm2d
    assert type(settings.make_norm(48, nn.Identity, in_3d=True)) is nn.BatchNorm3d


@pytest.mark.parametrize(
    ("norm", "axes"), [("batch", (0, 2, 3)), ("layer", (1, 2, 3)), ("instance", (2, 3))], ids=lambda value: str(value)
)
def test_a_norm_brings_mean_0_and_deviation_1_over_its_axes(norm: Norm, axes: tuple[int, ...]) -> None:
    maps = 3 + 2 * torch.randn(4, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    found = LayerSettings(norm=norm).make_norm(6, nn.Identity)(maps).detach()
    assert found.mean(dim=axes).abs().max() < 1e-5
    assert (found.std(dim=axes, correction=0) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("norm", ["layer", "instance", "group", "none"])
def test_the_other_norms_take_clips_as_they_are(norm: Norm) -> None:
    assert LayerSettings(norm=norm).make_norm(16, nn.Identity, in_3d=True)(torch.rand(2, 16, 3, 4, 4)).ndim == 5


@pytest.mark.parametrize(
    ("activation", "values"),
    [
        ("relu", [0.0, 0.0, 3.0]),
        ("leaky_relu", [-0.02, 0.0, 3.0]),
        ("prelu", [-0.5, 0.0, 3.0]),  # a trained slope that starts at .25
        ("sigmoid", [0.119203, 0.5, 0.952574]),  # 1 / (1 + e^2), 1 / (1 + e^-3)
        ("tanh", [-0.964028, 0.0, 0.995055]),
    ],
)
def test_each_activation_gives_its_values(activation: Activation, values: list[float]) -> None:
    found = LayerSettings(activation=activation).make_activation()
    assert found(X).tolist() == pytest.approx(values, abs=1e-6)
    assert num_parameters(found) == (1 if activation == "prelu" else 0)


def test_nothing_set_means_what_the_network_has() -> None:
    own = nn.BatchNorm2d(48)
    assert LayerSettings().make_norm(48, lambda _: own) is own
    assert type(LayerSettings().make_activation()) is nn.ReLU
    assert type(LayerSettings().make_activation(nn.GELU)) is nn.GELU
    assert type(LayerSettings(activation="tanh").make_activation(nn.GELU)) is nn.Tanh
    layer = convolution()
    before = weights(layer).clone()
    assert torch.equal(weights(initialised(None, layer)), before)


def test_constant_weights_are_all_a_hundredth() -> None:
    for layer in (convolution(), nn.Conv3d(2, 3, 3), nn.Linear(5, 4)):
        assert weights(initialised("constant", layer)).unique().tolist() == pytest.approx([0.01])


@pytest.mark.parametrize(
    ("init", "std", "largest"),
    [
        ("normal", 0.01, None),
        ("xavier", 0.048113, 0.083333),  # sqrt(2 / (576 + 288)), uniform up to sqrt(6 / 864) = 1 / 12
        ("kaiming", 0.058926, None),  # sqrt(2 / 576)
    ],
)
def test_first_weights_of_a_convolution_have_the_deviation_of_the_formula(
    init: Init, std: float, largest: float | None
) -> None:
    found = weights(initialised(init, convolution()))
    assert float(found.std()) == pytest.approx(std, rel=0.02)
    assert float(found.mean()) == pytest.approx(0.0, abs=0.03 * std)
    if largest is None:
        assert float(found.abs().max()) > 3 * std  # a normal distribution has tails
    else:
        assert 0.99 * largest < float(found.abs().max()) <= largest + 1e-6


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ("normal", 0.01),
        ("xavier", 0.05),  # sqrt(2 / (600 + 200))
        ("kaiming", 0.057735),  # sqrt(2 / 600)
    ],
)
def test_first_weights_of_a_fully_connected_layer_have_the_deviation_of_the_formula(init: Init, std: float) -> None:
    assert float(weights(initialised(init, nn.Linear(600, 200))).std()) == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("init", ["constant", "normal", "xavier", "kaiming"])
def test_first_biases_are_zero_and_normalisations_are_left_alone(init: Init) -> None:
    convolution, norm, linear = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 4)
    LayerSettings(init=init).initialise(nn.Sequential(convolution, norm, linear))
    for layer in (convolution, linear):
        assert layer.bias is not None
        assert not layer.bias.any()
    assert norm.weight.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("norm", "parameters"),
    # 32,688 weights of convolutions, 2 * (16 + 32 + 32 + 64) of normalisation
    [(None, 32_976), ("batch", 32_976), ("layer", 32_976), ("instance", 32_976), ("group", 32_976), ("none", 32_688)],
)
def test_the_small_net_has_the_parameters_of_its_normalisation(norm: Norm | None, parameters: int) -> None:
    assert num_parameters(build_backbone("small", layers=LayerSettings(norm=norm))) == parameters


@pytest.mark.parametrize("field", ["norm", "activation", "init"])
def test_a_wrong_word_on_the_command_line_is_refused_with_the_words_that_there_are(
    field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ArgumentParser()
    parser.add_argument("--layers", type=LayerSettings)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--layers.{field}=swish"])
    message = capsys.readouterr().err
    assert "swish" in message
    assert {"norm": "'batch'", "activation": "'relu'", "init": "'kaiming'"}[field] in message


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("norm", "batch, layer, instance, group, none"),
        ("activation", "relu, leaky_relu, prelu, sigmoid, tanh"),
        ("init", "constant, normal, xavier, kaiming"),
    ],
)
def test_a_wrong_word_in_code_is_one_line_with_the_words_that_there_are(field: str, words: str) -> None:
    with pytest.raises(ValueError, match=rf"layers\.{field} is 'swish': use one of {words}") as error:
        LayerSettings(**{field: "swish"})  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
