"""TSM on ResNet-50 against the numbers of its paper.

Lin, Gan, Han: TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019, table 2: ResNet-50 with 8 frames
has 24.3 million parameters (400 classes) and 33 G multiply-adds, with 16 frames 65 G; the shift costs neither.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vidcls.layers.layer_table import num_multiply_adds, num_parameters
from vidcls.models import TSM, SingleFrame, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]

BLOCKS = {"layer1": (3, 64, 56), "layer2": (4, 128, 28), "layer3": (6, 256, 14), "layer4": (3, 512, 7)}


@pytest.mark.parametrize(("num_frames", "giga"), [(8, 33), (16, 65)])
def test_parameters_and_work_are_those_of_the_paper(num_frames: int, giga: int, on_meta: Build) -> None:
    clip = ClipSettings(num_snippets=num_frames)
    model = on_meta(TSM, 400, clip, backbone="resnet50", snippets="join")
    flat = on_meta(SingleFrame, 400, clip, backbone="resnet50")
    shape = (1, 3, num_frames, 224, 224)
    assert num_parameters(model) == 24_327_632  # 23,508,032 of ResNet-50 and 2048 * 400 + 400
    assert num_parameters(model) == num_parameters(flat)
    assert num_multiply_adds(model, shape) == num_multiply_adds(flat, shape)
    assert round(num_multiply_adds(model, shape) / 1e9) == giga
    assert model.receptive_field == num_frames


def test_each_bottleneck_begins_with_a_shift_of_an_eighth_each_way(on_meta: Build, walked: Walk) -> None:
    model = on_meta(TSM, 400, ClipSettings(num_snippets=8), backbone="resnet50", snippets="join")
    rows = [row for row in walked(model, 224) if row[1] == "ShiftedConv2d"]
    expected = []
    c_in = 64
    for stage, (num_blocks, width, side_px) in BLOCKS.items():
        for block in range(num_blocks):
            side = side_px * 2 if block == 0 and stage != "layer1" else side_px  # the 3x3 convolution halves it
            size = f"{width}x{side}x{side}"
            expected.append((f"backbone.stages.{stage}.{block}.conv1", "ShiftedConv2d", "1x1", size, c_in * width))
            c_in = 4 * width
    assert [(*row[:3], row[5], row[6]) for row in rows] == expected
    for row in rows:
        conv = model.get_submodule(row[0])
        assert (conv.num_shifted, conv.num_frames) == (conv.in_channels // 8, 8)
