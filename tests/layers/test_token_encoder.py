"""Tokens of a clip: maps averaged to a grid, of 2D and 3D backbones, in the order of the frames."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidcls.layers import Backbone, build_backbone, build_backbone_3d, is_3d
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.token_encoder import TokenEncoder, default_levels, probe_levels
from vidcls.models.two_stream import stack_snippets


class Counted(nn.Module):
    """Gives what it takes, times a factor, and counts how often it is asked."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        self.num_calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.num_calls += 1
        return self.factor * x


class ToTokens(nn.Module):
    """Maps -> tokens ``(B, prefix + N, D)``, with their grid where that is asked for."""

    def __init__(self, *, num_prefix: int, with_grid: bool) -> None:
        super().__init__()
        self.num_prefix, self.with_grid = num_prefix, with_grid

    def forward(self, maps: Tensor) -> Tensor | tuple[Tensor, tuple[int, ...]]:
        patches = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([patches.new_full((len(patches), self.num_prefix, patches.shape[2]), 99.0), patches], dim=1)
        return (tokens, tuple(maps.shape[2:])) if self.with_grid else tokens


class WithOthers(nn.Module):
    """Maps, a token beside them, and something else."""

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return maps, maps.new_full((len(maps), 1, 3), 7.0), maps.new_zeros(1)


class OtherToken(nn.Module):
    def forward(self, carried: tuple[Tensor, ...]) -> Tensor:
        return carried[1][:, 0]


class FirstToken(nn.Module):
    def forward(self, tokens: Tensor | tuple[Tensor, object]) -> Tensor:
        return (tokens if isinstance(tokens, Tensor) else tokens[0])[:, 0]


def identity_net(*, input_len: int | None = None, read_out: nn.Module | None = None, **stages: nn.Module) -> Backbone:
    return Backbone(
        stages or {"maps": Counted()},
        read_out or GlobalAverage(),
        num_features=3,
        input_px=(4, 6),
        input_len=input_len,
        in_channels=3,
    )


def clip_of(B: int, T: int) -> Tensor:
    return torch.arange(B * 3 * T * 4 * 6, dtype=torch.float32).view(B, 3, T, 4, 6) / 100


def test_places_are_the_mean_and_then_the_cells_of_the_grid_row_by_row() -> None:
    clip = clip_of(2, 5)
    encoder = TokenEncoder(identity_net(), ["maps", "read_out"], (2, 3), num_snippets=1)
    found = encoder(clip)
    assert {level: tokens.shape for level, tokens in found.items()} == {"maps": (2, 5, 7, 3), "read_out": (2, 5, 1, 3)}
    frame = clip[1, :, 3]  # (3, 4, 6)
    assert torch.allclose(found["maps"][1, 3, 0], frame.mean(dim=(1, 2)))
    assert torch.allclose(found["maps"][1, 3, 1], frame[:, :2, :2].mean(dim=(1, 2)))
    assert torch.allclose(found["maps"][1, 3, 3], frame[:, :2, 4:].mean(dim=(1, 2)))
    assert torch.allclose(found["maps"][1, 3, 4], frame[:, 2:, :2].mean(dim=(1, 2)))
    assert torch.allclose(found["read_out"][1, 3, 0], frame.mean(dim=(1, 2)))


def test_snippets_of_a_3d_network_follow_each_other_in_time() -> None:
    clip = clip_of(2, 6)  # two snippets of three frames
    found = TokenEncoder(identity_net(input_len=3), ["maps", "read_out"], (1, 2), num_snippets=2)(clip)
    assert found["maps"].shape == (2, 6, 3, 3)
    assert torch.allclose(found["maps"][1, 4, 0], clip[1, :, 4].mean(dim=(1, 2)))
    assert torch.allclose(found["maps"][1, 4, 2], clip[1, :, 4, :, 3:].mean(dim=(1, 2)))
    assert found["read_out"].shape == (2, 2, 1, 3)
    assert torch.allclose(found["read_out"][1, 1, 0], clip[1, :, 3:].mean(dim=(1, 2, 3)))


def test_maps_of_one_place_have_no_grid() -> None:
    pooled = identity_net(maps=nn.AdaptiveAvgPool2d(1))
    assert TokenEncoder(pooled, ["maps"], (2, 3), num_snippets=1)(clip_of(1, 2))["maps"].shape == (1, 2, 1, 3)


@pytest.mark.parametrize("num_prefix", [0, 1])
def test_tokens_have_a_grid_where_it_is_known(num_prefix: int) -> None:
    clip = clip_of(2, 6)
    known = identity_net(tokens=ToTokens(num_prefix=num_prefix, with_grid=True), read_out=FirstToken())
    assert torch.allclose(
        TokenEncoder(known, ["tokens"], (2, 3), num_snippets=1)(clip)["tokens"],
        TokenEncoder(identity_net(), ["maps"], (2, 3), num_snippets=1)(clip)["maps"],
    )
    in_time = identity_net(input_len=3, tokens=ToTokens(num_prefix=num_prefix, with_grid=True), read_out=FirstToken())
    assert torch.allclose(
        TokenEncoder(in_time, ["tokens"], (2, 3), num_snippets=2)(clip)["tokens"],
        TokenEncoder(identity_net(input_len=3), ["maps"], (2, 3), num_snippets=2)(clip)["maps"],
    )
    unknown = identity_net(tokens=ToTokens(num_prefix=0, with_grid=False), read_out=FirstToken())
    found = TokenEncoder(unknown, ["tokens"], (2, 3), num_snippets=1)(clip)["tokens"]
    assert found.shape == (2, 6, 1, 3)
    assert torch.allclose(found[1, 2, 0], clip[1, :, 2].mean(dim=(1, 2)))


def test_maps_with_tokens_beside_them_are_maps() -> None:
    clip = clip_of(2, 6)
    beside = identity_net(maps=WithOthers(), read_out=OtherToken())
    found = TokenEncoder(beside, ["maps", "read_out"], (2, 3), num_snippets=1)(clip)
    assert torch.equal(found["maps"], TokenEncoder(identity_net(), ["maps"], (2, 3), num_snippets=1)(clip)["maps"])
    assert (found["read_out"] == 7).all()
    assert default_levels(beside) == ("maps", "read_out")


def test_a_network_on_stacked_fields_takes_a_snippet_at_once() -> None:
    torch.manual_seed(0)
    network = build_backbone("small", 6).eval()  # three fields
    flow = torch.randn(2, 2, 4 * 3, 24, 32)
    encoder = TokenEncoder(network, ["block4", "read_out"], (2, 2), num_snippets=4).eval()
    with torch.no_grad():
        found, expected = encoder(flow), network(stack_snippets(flow, 4))
    assert found["block4"].shape == (2, 4, 5, 64)
    torch.testing.assert_close(found["read_out"][:, :, 0].flatten(0, 1), expected, rtol=1e-4, atol=1e-5)
    assert encoder.shapes((2, 12, 24, 32)) == {"block4": (4, 5, 64), "read_out": (4, 1, 64)}


def test_one_pass_gives_all_levels_and_stops_after_the_deepest() -> None:
    stages = {name: Counted(2.0) for name in ("a", "b", "c")}
    encoder = TokenEncoder(identity_net(**stages), ["b", "a"], (1, 1), num_snippets=1)
    before = [stage.num_calls for stage in stages.values()]  # shapes are looked at without data
    found = encoder(clip_of(1, 1))
    assert list(found) == ["b", "a"]
    assert torch.equal(found["b"], 2 * found["a"])
    assert [stage.num_calls - n for stage, n in zip(stages.values(), before, strict=True)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("backbone", "shape", "expected"),
    [
        (build_backbone("small"), (3, 4, 32, 32), {"block1": (4, 7, 16), "block4": (4, 7, 64), "read_out": (4, 1, 64)}),
        (build_backbone_3d("small_3d"), (3, 16, 32, 32), {"block1": (16, 7, 16), "block4": (4, 7, 64)}),
    ],
)
def test_shapes_are_known_without_computing(
    backbone: Backbone, shape: tuple[int, ...], expected: dict[str, tuple[int, ...]]
) -> None:
    encoder = TokenEncoder(backbone, list(expected), (2, 3), num_snippets=2).eval()
    assert encoder.shapes(shape) == expected
    with torch.no_grad():
        found = encoder(torch.rand(1, *shape))
    assert {level: tuple(tokens.shape[1:]) for level, tokens in found.items()} == expected


def test_the_default_has_the_read_out_where_it_is_not_the_mean_of_the_last_maps() -> None:
    assert default_levels(build_backbone("small")) == ("block4",)
    assert default_levels(build_backbone_3d("small_3d")) == ("block4",)
    assert default_levels(build_backbone("lenet5")) == ("c5", "read_out")
    with_tokens = identity_net(tokens=ToTokens(num_prefix=1, with_grid=True), read_out=FirstToken())
    assert default_levels(with_tokens) == ("tokens", "read_out")
    network = build_backbone("lenet5").train()
    default_levels(network)
    assert network.read_out.training


@pytest.mark.parametrize("backbone", [build_backbone("small"), build_backbone_3d("small_3d")])
def test_tokens_do_not_depend_on_how_many_frames_go_through_at_once(backbone: Backbone) -> None:
    encoder = TokenEncoder(backbone, ["block2", "block4", "read_out"], (2, 2), num_snippets=2).eval()
    clips = torch.rand(2, 3, 10, 24, 32)
    together = encoder(clips)  # with gradients
    with torch.inference_mode():
        some_at_once = encoder(clips)
    for level, tokens in together.items():
        torch.testing.assert_close(some_at_once[level], tokens.detach(), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_encoded_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="unknown stage 'block9'"):
        TokenEncoder(build_backbone("small"), ["block9"], (2, 3), num_snippets=1)
    with pytest.raises(ValueError, match="at least one level"):
        TokenEncoder(build_backbone("small"), [], (2, 3), num_snippets=1)
    with pytest.raises(ValueError, match="grid"):
        TokenEncoder(build_backbone("small"), ["block4"], (0, 3), num_snippets=1)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("efficientnet_lite0", ("block5", "head")),
        ("resnet18", ("layer3", "layer4")),
        ("small", ("block2", "block4")),
        ("small_3d", ("block2", "block4")),
        ("vit_b_16", ("block7", "block12", "read_out")),
    ],
)
def test_the_levels_of_a_probe_are_a_middle_one_and_the_last(name: str, levels: tuple[str, ...]) -> None:
    with torch.device("meta"):
        backbone = (build_backbone_3d if is_3d(name) else build_backbone)(name)
    assert probe_levels(backbone) == levels
