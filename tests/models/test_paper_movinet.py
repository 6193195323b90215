"""MoViNet against the table of its paper, what the authors state of it, and its own stream.

Kondratyuk et al.: MoViNets: Mobile Video Networks for Efficient Video Recognition, CVPR 2021, and the authors' code and
README, github.com/tensorflow/models (official/projects/movinet).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from vidcls.layers.backbones.movinet_forms import CAUSAL_FORMS, FORMS
from vidcls.layers.layer_table import num_multiply_adds, num_parameters
from vidcls.models import MoViNet, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]

# Of A0, 50 frames of 172x172: block, kernel of its depthwise convolution, channels inside and outside, side in pixels.
A0 = [
    ("block2.0", "1x5x5", 24, 8, 43),
    *((f"block3.{k}", "3x3x3", 80, 32, 22) for k in range(3)),
    ("block4.0", "5x3x3", 184, 56, 11),
    ("block4.1", "3x3x3", 112, 56, 11),
    ("block4.2", "3x3x3", 184, 56, 11),
    ("block5.0", "5x3x3", 184, 56, 11),
    *((f"block5.{k}", "3x3x3", 184, 56, 11) for k in (1, 2, 3)),
    ("block6.0", "5x3x3", 384, 104, 6),
    ("block6.1", "1x5x5", 280, 104, 6),
    ("block6.2", "1x5x5", 280, 104, 6),
    ("block6.3", "1x5x5", 344, 104, 6),
]
SQUEEZED = {24: 8, 80: 24, 112: 32, 184: 48, 384: 96, 280: 72, 344: 88}  # a quarter, as a multiple of 8


def test_each_block_of_a0_is_that_of_the_paper(on_meta: Build, walked: Walk) -> None:
    rows = {row[0]: row for row in walked(on_meta(MoViNet, 600, ClipSettings(clip_len=50), form="a0"), 172)}
    assert rows["backbone.stages.stem.conv"][2:4] == ("1x3x3", "1x2x2")
    assert rows["backbone.stages.stem.conv"][5:] == ("8x50x86x86", 9 * 3 * 8)
    c_in, side_in = 8, 86
    for name, kernel, inner, c_out, side in A0:
        place = f"backbone.stages.{name}"
        t, h, w = map(int, kernel.split("x"))
        assert rows[f"{place}.expand.conv"][5:] == (f"{inner}x50x{side_in}x{side_in}", c_in * inner)
        depthwise = rows[f"{place}.depthwise.conv"]
        stride = "1x2x2" if side < side_in else "1x1x1"
        assert (depthwise[2:4], depthwise[5:]) == ((kernel, stride), (f"{inner}x50x{side}x{side}", t * h * w * inner))
        assert rows[f"{place}.excitation.squeeze"][6] == inner * SQUEEZED[inner] + SQUEEZED[inner]
        assert rows[f"{place}.project.conv"][5:] == (f"{c_out}x50x{side}x{side}", inner * c_out)
        assert (f"{place}.downsample.conv" in rows) is (side < side_in or c_in != c_out)
        c_in, side_in = c_out, side
    assert sum(".depthwise.conv" in name for name in rows) == len(A0)
    assert rows["backbone.stages.conv7.conv"][5:] == ("480x50x6x6", 104 * 480)
    assert rows["backbone.read_out.1"][5:] == ("2048", 480 * 2048 + 2048)
    assert rows["head.1"][6] == 2048 * 600 + 600


@pytest.mark.parametrize(
    ("form", "mebibytes", "giga", "near"),
    [
        ("a0", 12, 2.7, 0.04),  # size of the checkpoint, and FLOPs, as the authors state them
        ("a1", 18, 6.0, 0.04),
        ("a2", 20, 10, 0.16),  # 10.3 in the paper; the released network, whose layers these are, has 11.6
        ("a3", 29, 57, 0.04),
        ("a4", 44, 110, 0.07),  # 105 in the paper
        ("a5", 72, 280, 0.04),
    ],
)
def test_parameters_and_work_are_those_that_are_stated(
    form: str, mebibytes: float, giga: float, near: float, on_meta: Build
) -> None:
    layers = FORMS[form]  # type: ignore[index]
    model = on_meta(MoViNet, 600, ClipSettings(clip_len=layers.num_frames), form=form)
    assert num_parameters(model) * 4 / 2**20 == pytest.approx(mebibytes, rel=0.03)
    shape = (1, 3, layers.num_frames, layers.side_px, layers.side_px)
    assert num_multiply_adds(model, shape) / 1e9 == pytest.approx(giga, rel=near)
    assert model.receptive_field == layers.num_frames


def test_the_forms_are_for_the_clips_of_the_paper() -> None:
    clips = {name: (form.num_frames, form.fps, form.side_px) for name, form in FORMS.items() if name != "tiny"}
    assert clips == {
        "a0": (50, 5, 172),
        "a1": (50, 5, 172),
        "a2": (50, 5, 224),
        "a3": (120, 12, 256),
        "a4": (80, 8, 290),
        "a5": (120, 12, 320),
    }


def scrambled(model: MoViNet) -> MoViNet:
    """With no block that is its shortcut alone, and statistics as after a training."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("scale") or "running" in name:
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return model.eval()


def built(*, causal: bool, num_frames: int = 8, **clip: int) -> MoViNet:
    torch.manual_seed(0)
    settings = ClipSettings(clip_len=num_frames, **clip)
    return MoViNet(class_names=["a", "b", "c"], clip=settings, form="tiny", causal=causal)


@pytest.mark.parametrize("pieces", [(1,) * 8, (3, 5), (7, 1)])
def test_a_stream_gives_the_scores_of_the_frames_so_far_as_one_clip(pieces: tuple[int, ...]) -> None:
    model = scrambled(built(causal=True))
    frames = torch.rand(2, 3, 8, 33, 40)  # odd and even sizes are halved in their own ways
    stream, num_seen = model.stream(), 0
    for piece in frames.split(pieces, dim=2):
        found = stream(piece)
        num_seen += piece.shape[2]
        with torch.no_grad():
            assert torch.allclose(found, model(frames[:, :, :num_seen]), atol=1e-5)


def test_no_layer_of_a_causal_network_sees_a_later_frame() -> None:
    model = scrambled(built(causal=True))
    frames = torch.rand(1, 3, 8, 32, 32)
    changed = frames.clone()
    changed[:, :, 5:] = torch.rand(1, 3, 3, 32, 32)
    with torch.no_grad():
        maps, others = (model.backbone.maps(clip) for clip in (frames, changed))
    assert torch.equal(maps[:, :, :5], others[:, :, :5])
    assert not torch.allclose(maps[:, :, 5], others[:, :, 5])
    base = scrambled(built(causal=False))
    with torch.no_grad():
        assert not torch.allclose(base.backbone.maps(frames)[:, :, 0], base.backbone.maps(changed)[:, :, 0])


def test_at_first_every_block_is_its_shortcut() -> None:
    model = built(causal=False).eval()
    block = model.backbone.stages["block5"][0]  # type: ignore[index]
    maps = torch.rand(1, 24, 4, 4, 4)
    assert torch.equal(block(maps), maps)
    with torch.no_grad():
        block.scale.fill_(1.0)
    assert not torch.allclose(block(maps), maps)


def test_activations_are_those_of_the_authors(on_meta: Build) -> None:
    base = on_meta(MoViNet, 3, ClipSettings(clip_len=8), form="a0")
    causal = on_meta(MoViNet, 3, ClipSettings(clip_len=8), form="a0", causal=True)
    kinds = [[type(module) for module in model.modules()] for model in (base, causal)]
    assert (nn.SiLU in kinds[0], nn.Hardswish in kinds[0], nn.Sigmoid in kinds[0]) == (True, False, True)
    assert (kinds[1].count(nn.SiLU), nn.Hardswish in kinds[1], nn.Sigmoid in kinds[1]) == (1, True, False)  # dense9
    gate = causal.get_submodule("backbone.stages.block2.0.excitation.gate")
    assert gate(torch.tensor([-3.0, -1.0, 0.0, 2.5])).tolist() == pytest.approx([0.0, 0.3, 0.5, 1.0])


def test_forms_that_are_not_there_are_refused(on_meta: Build) -> None:
    with pytest.raises(ValueError, match="form must be one of tiny, a0, a1, a2, a3, a4, a5, got 'a6'"):
        on_meta(MoViNet, 3, ClipSettings(clip_len=8), form="a6")
    with pytest.raises(ValueError, match=f"'a3' has no causal network: use one of {', '.join(CAUSAL_FORMS)}"):
        on_meta(MoViNet, 3, ClipSettings(clip_len=8), form="a3", causal=True)
    with pytest.raises(ValueError, match="it has no stream"):
        built(causal=False).stream()
    with pytest.raises(ValueError, match="averages 2 snippets"):
        built(causal=True, num_snippets=2).stream()
