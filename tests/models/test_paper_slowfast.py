"""SlowFast on ResNet-50 against table 1 of its paper, and against the numbers that it and PyTorchVideo state.

Feichtenhofer, Fan, Malik, He: SlowFast Networks for Video Recognition, ICCV 2019; PyTorchVideo's model zoo (2021).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vidcls.layers.backbones.slowfast import SlowFastNet
from vidcls.layers.bottleneck_3d import TimeConv3d
from vidcls.layers.layer_table import num_multiply_adds, num_parameters
from vidcls.models import SlowFast, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]
CLIP = ClipSettings(clip_len=32, stride=2)

# Table 1, T = 4, alpha = 8: blocks, extent in time of the first convolution, and the last maps, by stage and pathway.
PAPER = {
    "res2": (3, ("1x1x1", "256x4x56x56"), ("3x1x1", "32x32x56x56")),
    "res3": (4, ("1x1x1", "512x4x28x28"), ("3x1x1", "64x32x28x28")),
    "res4": (6, ("3x1x1", "1024x4x14x14"), ("3x1x1", "128x32x14x14")),
    "res5": (3, ("3x1x1", "2048x4x7x7"), ("3x1x1", "256x32x7x7")),
}
STEMS = [
    ("slow.conv", "1x7x7", "1x2x2", "64x4x112x112", 9_408),  # 7 * 7 * 3 * 64
    ("slow.pool", "1x3x3", "1x2x2", "64x4x56x56", 0),
    ("fast.conv", "5x7x7", "1x2x2", "8x32x112x112", 5_880),  # 5 * 7 * 7 * 3 * 8
    ("fast.pool", "1x3x3", "1x2x2", "8x32x56x56", 0),
    ("lateral.conv", "5x1x1", "8x1x1", "16x4x56x56", 640),  # 5 * 8 * 16: twice the fast channels
]
LATERALS = {  # 5 * C * 2 C
    "res2": ("5x1x1", "8x1x1", "64x4x56x56", 10_240),
    "res3": ("5x1x1", "8x1x1", "128x4x28x28", 40_960),
    "res4": ("5x1x1", "8x1x1", "256x4x14x14", 163_840),
}


def test_each_stage_is_that_of_the_paper(on_meta: Build, walked: Walk) -> None:
    rows = {row[0]: row for row in walked(on_meta(SlowFast, 400, CLIP, alpha=8), 224)}
    stem = "backbone.stages.stem"
    assert [(n, r[2], r[3], r[5], r[6]) for n, *_ in STEMS for r in [rows[f"{stem}.{n}"]]] == STEMS
    for stage, (num_blocks, *pathways) in PAPER.items():
        for pathway, (kernel, output) in zip(("slow", "fast"), pathways, strict=True):
            place = f"backbone.stages.{stage}.{pathway}"
            assert f"{place}.{num_blocks}.third.conv" not in rows
            assert rows[f"{place}.{num_blocks - 1}.third.conv"][5] == output
            for block in range(num_blocks):
                assert rows[f"{place}.{block}.first.conv"][2] == kernel
                halves = block == 0 and stage != "res2"
                assert rows[f"{place}.{block}.second.conv"][2:4] == ("1x3x3", "1x2x2" if halves else "1x1x1")
    laterals = {name.split(".")[2]: row for name, row in rows.items() if "lateral.conv" in name and "stem" not in name}
    assert {stage: (row[2], row[3], row[5], row[6]) for stage, row in laterals.items()} == LATERALS
    assert rows["head.1"][6] == 400 * (2048 + 256) + 400


@pytest.mark.parametrize(
    ("form", "million", "giga"),
    [
        ({"alpha": 8}, 34.48, 36.1),  # 4x16: PyTorchVideo 34.48 M; the paper, table 2, 36.1 G at 256x256
        ({"alpha": 4, "lateral_len": 7}, 34.57, 65.7),  # 8x8: PyTorchVideo 34.57 M; the paper 65.7 G
        ({"alpha": 4, "depth": 101}, 62.83, 125.9),  # 8x8: PyTorchVideo 62.83 M (127.2 G there)
    ],
    ids=["4x16", "8x8", "8x8 R101"],
)
def test_parameters_and_work_are_those_that_are_stated(
    form: dict[str, int], million: float, giga: float, on_meta: Build
) -> None:
    model = on_meta(SlowFast, 400, CLIP, **form)
    assert round(num_parameters(model) / 1e6, 2) == million
    assert round(num_multiply_adds(model, (1, 3, 32, 256, 256)) / 1e9, 1) == giga
    assert model.receptive_field == 32


def test_the_slow_pathway_sees_every_alpha_th_frame_from_the_first() -> None:
    torch.manual_seed(0)
    network = SlowFastNet(14, width=8, alpha=4).eval()
    seen: list[Tensor] = []
    network.stages["stem"].slow.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))  # type: ignore[union-attr]
    clip = torch.arange(10.0)[None, None, :, None, None].expand(1, 3, 10, 32, 32)
    slow, fast = network.maps(clip)
    assert seen[0][0, 0, :, 0, 0].tolist() == [0, 4, 8]
    assert (slow.shape[2], fast.shape[2]) == (3, 10)  # the lateral maps fit where T is no multiple of alpha


def test_a_convolution_over_time_is_the_one_in_3d() -> None:
    torch.manual_seed(0)
    for groups, stride in ((1, 1), (1, 4), (4, 1)):
        ours = TimeConv3d(4, 8, (5, 1, 1), stride=(stride, 1, 1), padding=(2, 0, 0), groups=groups).double()
        plain = nn.Conv3d(4, 8, (5, 1, 1), stride=(stride, 1, 1), padding=(2, 0, 0), groups=groups).double()
        plain.load_state_dict(ours.state_dict())
        maps = torch.randn(2, 4, 7, 3, 5, dtype=torch.double)
        assert torch.allclose(ours(maps), plain(maps), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 18}, "depth must be one of 14, 26, 50, 101, 152, got 18"),
        ({"width": 4}, "leaves it at least one: got beta 0.125 of width 4"),
        ({"lateral_len": 4}, "lateral_len an odd number of frames, got alpha 4 and lateral_len 4"),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments: dict[str, int], message: str, on_meta: Build) -> None:
    with pytest.raises(ValueError, match=message):
        on_meta(SlowFast, 3, CLIP, **arguments)
