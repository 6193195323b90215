"""Two streams that are fused inside, and what TwoStream can besides: 3D streams, other consensus, other dropout."""

from __future__ import annotations

import factories
import pytest
import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.models import TwoStream, TwoStreamFusion
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=3, flow_len=4)


def fusion(**arguments: object) -> TwoStreamFusion:
    torch.manual_seed(0)
    given = {"class_names": CLASSES, "clip": CLIP, "spatial": "small", "temporal": "small", "dropout": 0.0}
    return TwoStreamFusion(**{**given, **arguments}).eval()  # type: ignore[arg-type]


def two_stream(**arguments: object) -> TwoStream:
    return factories.two_stream(**{"clip": CLIP, "dropout": 0.0, **arguments}).eval()


def streams(clip: ClipSettings = CLIP) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    S = clip.num_snippets
    return (
        torch.randn(2, 3, S * clip.clip_len, 24, 24, generator=generator),
        torch.randn(2, 2, S * clip.flow_len, 24, 24, generator=generator),
    )


@pytest.mark.parametrize("method", ["sum", "max", "conv", "concat", "bilinear"])
def test_every_method_sees_both_streams(method: str) -> None:
    model = fusion(method=method)
    rgb, flow = streams()
    out = model(rgb, flow)
    assert out.shape == (2, 3)
    assert not torch.equal(out, model(rgb + torch.randn(24, 24), flow))
    assert not torch.equal(out, model(rgb, flow + torch.randn(24, 24)))


@pytest.mark.parametrize("fuse_at", ["block1", "block3"])
def test_the_spatial_network_goes_on_behind_the_fused_stage_and_the_temporal_one_ends_there(fuse_at: str) -> None:
    model = fusion(fuse_at=fuse_at, method="sum")
    assert model.spatial.stage_names == ("block1", "block2", "block3", "block4")
    assert model.temporal.stage_names[-1] == fuse_at
    rgb, flow = streams()
    maps = model.temporal.maps(torch.zeros(1, 8, 24, 24))
    assert maps.shape[1] == {"block1": 16, "block3": 32}[fuse_at]
    assert model(rgb, flow).shape == (2, 3)


def test_the_frames_of_a_snippet_meet_the_flow_of_that_snippet() -> None:
    model = fusion(method="sum")
    rgb, flow = streams()
    alone = ClipSettings(num_snippets=1, clip_len=3, flow_len=4)
    one = fusion(method="sum", clip=alone)
    one.load_state_dict(model.state_dict())
    halves = [one(rgb[:, :, 3 * k : 3 * k + 3], flow[:, :, 4 * k : 4 * k + 4]) for k in range(2)]
    assert torch.allclose(model(rgb, flow), (halves[0] + halves[1]) / 2, atol=1e-5)


def test_other_numbers_of_fields_are_refused() -> None:
    rgb, flow = streams()
    for model in (fusion(), two_stream()):
        with pytest.raises(ConfigurationError, match="sees 2 x 4 flow fields of a clip, got 7 fields"):
            model(rgb, flow[:, :, :7])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "concat", "fuse_at": "block2"}, "concat"),
        ({"method": "bilinear", "fuse_at": "block2"}, "bilinear"),
        ({"fuse_at": "layer1"}, "unknown stage 'layer1'"),
        ({"temporal": "resnet18"}, "unknown stage|fuse where they are alike"),
    ],
)
def test_places_where_nothing_can_be_fused_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fusion(**arguments)


def test_networks_of_unlike_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="fuse where they are alike, or use the same backbone twice"):
        fusion(spatial="resnet50", temporal="resnet18", fuse_at="layer1")


# --- TwoStream ------------------------------------------------------------------------------------------------------


def test_streams_of_3d_networks_see_the_order_inside_a_snippet() -> None:
    model = two_stream(spatial="small_3d", temporal="small_3d")
    rgb, flow = streams()
    parts = model.forward_parts(rgb, flow)
    shuffled_rgb, shuffled_flow = rgb[:, :, [2, 0, 1, 5, 3, 4]], flow[:, :, [3, 2, 1, 0, 7, 6, 5, 4]]
    others = model.forward_parts(shuffled_rgb, shuffled_flow)
    for part in model.parts:
        assert parts[part].shape == (2, 3)
        assert not torch.allclose(parts[part], others[part], atol=1e-5)
    assert model.nets["temporal"].stem.in_channels == 2


def test_a_3d_stream_gives_the_mean_over_its_snippets() -> None:
    model = two_stream(spatial="small_3d", temporal="small_3d")
    one = two_stream(spatial="small_3d", temporal="small_3d", clip=ClipSettings(clip_len=3, flow_len=4))
    one.load_state_dict(model.state_dict())
    rgb, flow = streams()
    whole = model.forward_parts(rgb, flow)
    halves = [one.forward_parts(rgb[:, :, 3 * k : 3 * k + 3], flow[:, :, 4 * k : 4 * k + 4]) for k in range(2)]
    for part in model.parts:
        assert torch.allclose(whole[part], (halves[0][part] + halves[1][part]) / 2, atol=1e-5)


def test_only_one_stream_may_be_3d() -> None:
    rgb, flow = streams()
    assert two_stream(temporal="small_3d")(rgb, flow).shape == (2, 3)
    assert two_stream(spatial="small_3d")(rgb, flow).shape == (2, 3)


def test_a_3d_stream_of_one_frame_is_refused() -> None:
    clip = ClipSettings(clip_len=1, flow_len=1)
    with pytest.raises(ValueError, match=r"3D spatial stream needs at least two frames.*, got 1: raise clip_len"):
        two_stream(clip=clip, spatial="small_3d")
    with pytest.raises(ValueError, match=r"3D temporal stream .* raise flow_len"):
        two_stream(clip=clip, temporal="small_3d")


def test_the_maximum_over_snippets_is_taken_of_each_stream() -> None:
    model, mean = two_stream(consensus="max"), two_stream()
    mean.load_state_dict(model.state_dict())
    one = two_stream(clip=ClipSettings(clip_len=3, flow_len=4))
    one.load_state_dict(model.state_dict())
    rgb, flow = streams()
    halves = [one.forward_parts(rgb[:, :, 3 * k : 3 * k + 3], flow[:, :, 4 * k : 4 * k + 4]) for k in range(2)]
    for part, logits in model.forward_parts(rgb, flow).items():
        assert torch.allclose(logits, torch.maximum(halves[0][part], halves[1][part]), atol=1e-5)


def test_a_consensus_over_one_snippet_is_refused() -> None:
    with pytest.raises(ValueError, match="consensus 'max' has no effect on one snippet: set num_snippets"):
        two_stream(clip=ClipSettings(clip_len=3, flow_len=4), consensus="max")


def test_each_stream_has_its_own_dropout() -> None:
    def shares(model: TwoStream) -> list[float]:
        return [m.p for part in model.parts for m in model.heads[part].modules() if isinstance(m, nn.Dropout)]

    assert shares(two_stream(dropout=0.8, temporal_dropout=0.7)) == [0.8, 0.7]
    assert shares(two_stream(dropout=0.8)) == [0.8, 0.8]
