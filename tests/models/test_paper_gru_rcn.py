"""GRU-RCN on five levels of VGG-16 against tables worked out by hand.

Ballas, Yao, Pal, Courville: Delving Deeper into Convolutional Networks for Learning Video Representations, ICLR 2016:
a unit on each of pool2, pool3, pool4, pool5 and fc7. A unit has three products of the input, 9 C D weights each, and
three of its own state, 9 D D each; no bias; on fc7 the kernels have one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from vidcls.layers.layer_table import num_parameters
from vidcls.models import RecurrentConv, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]

TEN_FRAMES = ClipSettings(num_snippets=10, clip_len=1)  # evenly spaced over the video
PAPER = {
    "backbone": "vgg16",
    "levels": ["block2", "block3", "block4", "block5", "read_out"],
    "widths": [64, 128, 256, 256, 512],
    "snippets": "join",
    "dropout": 0.7,
}

UNITS: list[Row] = [  # 3 D, 2 D and D maps out; 27 C D, 18 D D and 9 D D weights
    ("forwards.0.from_input", "Conv2d", "3x3", "1x1", "1x1", "192x56x56", 221_184),  # 27 * 128 * 64
    ("forwards.0.to_gates", "Conv2d", "3x3", "1x1", "1x1", "128x56x56", 73_728),  # 18 * 64 * 64
    ("forwards.0.to_candidate", "Conv2d", "3x3", "1x1", "1x1", "64x56x56", 36_864),  # 9 * 64 * 64
    ("heads.0.1", "Linear", "-", "-", "-", "101", 6_565),  # 64 * 101 + 101
    ("forwards.1.from_input", "Conv2d", "3x3", "1x1", "1x1", "384x28x28", 884_736),  # 27 * 256 * 128
    ("forwards.1.to_gates", "Conv2d", "3x3", "1x1", "1x1", "256x28x28", 294_912),  # 18 * 128 * 128
    ("forwards.1.to_candidate", "Conv2d", "3x3", "1x1", "1x1", "128x28x28", 147_456),  # 9 * 128 * 128
    ("heads.1.1", "Linear", "-", "-", "-", "101", 13_029),  # 128 * 101 + 101
    ("forwards.2.from_input", "Conv2d", "3x3", "1x1", "1x1", "768x14x14", 3_538_944),  # 27 * 512 * 256
    ("forwards.2.to_gates", "Conv2d", "3x3", "1x1", "1x1", "512x14x14", 1_179_648),  # 18 * 256 * 256
    ("forwards.2.to_candidate", "Conv2d", "3x3", "1x1", "1x1", "256x14x14", 589_824),  # 9 * 256 * 256
    ("heads.2.1", "Linear", "-", "-", "-", "101", 25_957),  # 256 * 101 + 101
    ("forwards.3.from_input", "Conv2d", "3x3", "1x1", "1x1", "768x7x7", 3_538_944),
    ("forwards.3.to_gates", "Conv2d", "3x3", "1x1", "1x1", "512x7x7", 1_179_648),
    ("forwards.3.to_candidate", "Conv2d", "3x3", "1x1", "1x1", "256x7x7", 589_824),
    ("heads.3.1", "Linear", "-", "-", "-", "101", 25_957),
    ("forwards.4.from_input", "Conv2d", "1x1", "1x1", "0x0", "1536x1x1", 6_291_456),  # 3 * 4096 * 512
    ("forwards.4.to_gates", "Conv2d", "1x1", "1x1", "0x0", "1024x1x1", 524_288),  # 2 * 512 * 512
    ("forwards.4.to_candidate", "Conv2d", "1x1", "1x1", "0x0", "512x1x1", 262_144),  # 512 * 512
    ("heads.4.1", "Linear", "-", "-", "-", "101", 51_813),  # 512 * 101 + 101
]
PLAIN = [331_776, 1_327_104, 5_308_416, 5_308_416, 7_077_888]  # 27 D (C + D); on fc7 3 D (C + D)
# Stacked: three products more, of the level below, 27 D D_below; on fc7 3 D D_below
STACKED = [331_776, 1_548_288, 6_193_152, 7_077_888, 7_471_104]
# In both directions the level below has 2 D_below maps
STACKED_BOTH_WAYS = [331_776, 1_769_472, 7_077_888, 8_847_360, 7_864_320]
VGG16 = 134_260_544  # the 138,357,544 of the paper without the 1000-way classifier, 4096 * 1000 + 1000
CLASSIFIERS = 123_321  # 101 * (64 + 128 + 256 + 256 + 512) + 5 * 101
CLASSIFIERS_BOTH_WAYS = 246_137  # 101 * 2 * 1216 + 5 * 101


def units(model: VideoClassifier, direction: str) -> list[int]:
    return [num_parameters(unit) for unit in cast(nn.ModuleList, model.get_submodule(direction))]


def test_each_level_has_the_unit_and_the_classifier_of_the_paper(on_meta: Build, walked: Walk) -> None:
    rows = walked(on_meta(RecurrentConv, 101, TEN_FRAMES, **PAPER), 224)
    assert [row for row in rows if not row[0].startswith("backbone.")] == UNITS


def test_the_levels_are_the_pools_and_the_second_fully_connected_layer(on_meta: Build, walked: Walk) -> None:
    rows = walked(on_meta(RecurrentConv, 101, TEN_FRAMES, **PAPER), 224)
    pools = [(row[2], row[3], row[5]) for row in rows if row[1] == "MaxPool2d"]
    sizes = ["64x112x112", "128x56x56", "256x28x28", "512x14x14", "512x7x7"]
    assert pools == [("2x2", "2x2", size) for size in sizes]
    assert [row[5:] for row in rows if row[1] == "Linear" and row[0].startswith("backbone.")] == [
        ("4096", 102_764_544),  # 7 * 7 * 512 * 4096 + 4096
        ("4096", 16_781_312),  # 4096 * 4096 + 4096
    ]


def test_seven_tenths_are_dropped_before_each_classifier(on_meta: Build) -> None:
    model = on_meta(RecurrentConv, 101, TEN_FRAMES, **PAPER)
    heads = cast(nn.ModuleList, model.get_submodule("heads"))
    assert [m.p for m in heads.modules() if isinstance(m, nn.Dropout)] == [0.7] * 5
    assert model.receptive_field == 10


@pytest.mark.parametrize(
    ("form", "forwards", "backwards", "classifiers", "total"),
    [
        ({}, PLAIN, [], CLASSIFIERS, 153_737_465),
        ({"stacked": True}, STACKED, [], CLASSIFIERS, 157_006_073),
        ({"bidirectional": True}, PLAIN, PLAIN, CLASSIFIERS_BOTH_WAYS, 173_213_881),
        (
            {"stacked": True, "bidirectional": True},
            STACKED_BOTH_WAYS,
            STACKED_BOTH_WAYS,
            CLASSIFIERS_BOTH_WAYS,
            186_288_313,
        ),
    ],
    ids=["plain", "stacked", "bidirectional", "stacked and bidirectional"],
)
def test_each_form_has_the_parameters_of_its_equations(
    form: dict[str, bool],
    forwards: list[int],
    backwards: list[int],
    classifiers: int,
    total: int,
    on_meta: Build,
) -> None:
    model = on_meta(RecurrentConv, 101, TEN_FRAMES, **PAPER, **form)
    assert units(model, "forwards") == forwards
    assert units(model, "backwards") == backwards
    assert num_parameters(model.get_submodule("heads")) == classifiers
    assert num_parameters(model.get_submodule("backbone")) == VGG16
    assert num_parameters(model) == total


def test_the_answer_is_the_log_of_the_mean_of_known_distributions() -> None:
    # classifiers without weights give the distribution of their bias: the mean of these two is .3, .275, .425
    model = RecurrentConv(
        class_names=["left", "right", "still"],
        clip=ClipSettings(clip_len=3),
        backbone="small",
        levels=["block3", "read_out"],
        widths=[4, 5],
    ).eval()
    distributions = ([0.5, 0.25, 0.25], [0.1, 0.3, 0.6])
    for head, distribution in zip(model.heads, distributions, strict=True):
        linear = cast(nn.Linear, cast(nn.Sequential, head)[1])
        nn.init.zeros_(linear.weight)
        linear.bias.data = torch.tensor(distribution).log() + 7  # a constant changes no distribution
    answer: Tensor = model(torch.randn(2, 3, 3, 24, 24))
    assert torch.allclose(answer.exp(), torch.tensor([[0.3, 0.275, 0.425]] * 2), atol=1e-6)
