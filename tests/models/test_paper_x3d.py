"""X3D against table 1 of its paper, and against the numbers that it and PyTorchVideo state.

Feichtenhofer: X3D: Expanding Architectures for Efficient Video Recognition, CVPR 2020, tables 1, 3 and 4;
PyTorchVideo's model zoo (2021).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from vidcls.layers.backbones.x3d import FORMS, rounded
from vidcls.layers.layer_table import num_multiply_adds, num_parameters
from vidcls.layers.squeeze_excitation import SqueezeExcitation3D
from vidcls.models import X3D, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]

# Of X3D-M, 16 frames of 224x224: blocks, channels inside and outside, side in pixels, and units of the squeezed layer.
M = {
    "res2": (3, 54, 24, 56, 8),
    "res3": (5, 108, 48, 28, 8),
    "res4": (11, 216, 96, 14, 16),
    "res5": (7, 432, 192, 7, 32),
}


def test_each_stage_is_that_of_the_paper(on_meta: Build, walked: Walk) -> None:
    rows = {row[0]: row for row in walked(on_meta(X3D, 400, ClipSettings(clip_len=16), form="m"), 224)}
    assert rows["backbone.stages.stem.space"][2:] == ("1x3x3", "1x2x2", "0x1x1", "24x16x112x112", 648)  # 9 * 3 * 24
    assert rows["backbone.stages.stem.time.conv"][2:] == ("5x1x1", "1x1x1", "2x0x0", "24x16x112x112", 120)  # 5 * 24
    c_in = 24
    for stage, (num_blocks, inner, c_out, side, squeezed) in M.items():
        place = f"backbone.stages.{stage}"
        assert f"{place}.{num_blocks}.project.conv" not in rows
        for block in range(num_blocks):
            size, before = f"16x{side}x{side}", f"16x{2 * side}x{2 * side}" if block == 0 else f"16x{side}x{side}"
            stride = "1x2x2" if block == 0 else "1x1x1"
            at = f"{place}.{block}"
            assert rows[f"{at}.expand.conv"][2:] == ("1x1x1", "1x1x1", "0x0x0", f"{inner}x{before}", c_in * inner)
            assert rows[f"{at}.depthwise.conv"][2:] == ("3x3x3", stride, "1x1x1", f"{inner}x{size}", 27 * inner)
            assert rows[f"{at}.project.conv"][2:] == ("1x1x1", "1x1x1", "0x0x0", f"{c_out}x{size}", inner * c_out)
            assert (f"{at}.excitation.squeeze" in rows) is (block % 2 == 0)  # every other block, from the first
            if block % 2 == 0:
                assert rows[f"{at}.excitation.squeeze"][6] == inner * squeezed + squeezed
            c_in = c_out
    assert rows["backbone.stages.conv5.conv"][5:] == ("432x16x7x7", 192 * 432)
    assert rows["backbone.read_out.1"][5:] == ("2048", 432 * 2048)
    assert rows["head.1"][6] == 2048 * 400 + 400


@pytest.mark.parametrize(
    ("form", "side_px", "million", "giga"),
    [
        ("xs", 160, 3.79, 0.60),  # multiply-adds: tables 2 to 4; parameters: PyTorchVideo (3.76 and 6.08 in the paper)
        ("s", 160, 3.79, 1.96),
        ("m", 224, 3.79, 4.73),
        ("l", 312, 6.15, 18.37),
        ("s", 182, 3.79, 2.72),  # at the size of its test: 2.7, 6.2 and 24.8 there
        ("m", 256, 3.79, 6.18),
        ("l", 356, 6.15, 24.76),
    ],
)
def test_parameters_and_work_are_those_that_are_stated(
    form: str, side_px: int, million: float, giga: float, on_meta: Build
) -> None:
    num_frames = FORMS[form].num_frames  # type: ignore[index]
    model = on_meta(X3D, 400, ClipSettings(clip_len=num_frames), form=form)
    assert round(num_parameters(model) / 1e6, 2) == million
    assert num_multiply_adds(model, (1, 3, num_frames, side_px, side_px)) / 1e9 == pytest.approx(giga, abs=0.006)
    assert model.receptive_field == num_frames


def test_the_forms_are_the_clips_and_expansions_of_the_paper(on_meta: Build) -> None:
    clips = {name: (form.num_frames, form.stride, form.side_px) for name, form in FORMS.items() if name != "tiny"}
    assert clips == {"xs": (4, 12, 160), "s": (13, 6, 160), "m": (16, 5, 224), "l": (16, 5, 312)}
    deep = on_meta(X3D, 400, ClipSettings(clip_len=16), form="l")
    blocks = [len(stage) for name, stage in deep.backbones["backbone"].stages.items() if name.startswith("res")]  # type: ignore[arg-type]
    assert blocks == [5, 10, 25, 15]  # gamma_d = 5 times 1, 2, 5 and 3
    assert [rounded(wanted) for wanted in (3.375, 6.75, 13.5, 27, 24, 192)] == [8, 8, 16, 32, 24, 192]


def test_squeeze_and_excitation_scales_channels_by_what_their_means_say() -> None:
    layer = SqueezeExcitation3D(2, 1)
    with torch.no_grad():
        for name, values in {
            "squeeze.weight": [[1.0, 1.0]],
            "squeeze.bias": [-1.0],
            "excite.weight": [[1.0], [-1.0]],
            "excite.bias": [0.0, 0.0],
        }.items():
            parameter = layer.get_parameter(name)
            parameter.copy_(torch.tensor(values).view_as(parameter))
    maps = torch.stack([torch.full((2, 2, 2), 1.0), torch.full((2, 2, 2), 3.0)])[None]
    maps[0, 0, 0] += 2.0  # means 2 and 3: relu(2 + 3 - 1) = 4
    expected = maps * torch.sigmoid(torch.tensor([4.0, -4.0])).view(1, 2, 1, 1, 1)
    assert torch.allclose(layer(maps), expected, atol=1e-6)


def test_swish_follows_every_depthwise_convolution_and_relu_the_rest(on_meta: Build) -> None:
    model = on_meta(X3D, 400, ClipSettings(clip_len=4), form="xs")
    kinds = [type(module) for module in model.get_submodule("backbone.stages").modules()]
    assert kinds.count(nn.SiLU) == 3 + 5 + 11 + 7
    assert kinds.count(SqueezeExcitation3D) == 2 + 3 + 6 + 4


def test_a_form_that_is_none_is_refused(on_meta: Build) -> None:
    with pytest.raises(ValueError, match="form must be one of tiny, xs, s, m, l, got 'xl'"):
        on_meta(X3D, 3, ClipSettings(clip_len=4), form="xl")
