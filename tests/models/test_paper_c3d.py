"""C3D layer by layer against a table worked out by hand.

Tran et al.: Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, section 3.3: 16 frames of
112x112; every kernel 3x3x3 with a border of 1; the first pool leaves time alone; the border of 1 of the last pool is
that of the released network. The 487 classes are those of Sports-1M.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from vidcls.layers.layer_table import num_parameters
from vidcls.models import Conv3D, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]
CLIP = ClipSettings(clip_len=16)

C3D: list[Row] = [
    ("backbone.stages.conv1.0", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "64x16x112x112", 5_248),  # 27 * 3 * 64 + 64
    ("backbone.stages.conv1.2", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "64x16x56x56", 0),
    ("backbone.stages.conv2.0", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "128x16x56x56", 221_312),  # 27 * 64 * 128 + 128
    ("backbone.stages.conv2.2", "MaxPool3d", "2x2x2", "2x2x2", "0x0x0", "128x8x28x28", 0),
    ("backbone.stages.conv3.0", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "256x8x28x28", 884_992),  # 27 * 128 * 256 + 256
    ("backbone.stages.conv3.2", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "256x8x28x28", 1_769_728),  # 27 * 256 * 256 + 256
    ("backbone.stages.conv3.4", "MaxPool3d", "2x2x2", "2x2x2", "0x0x0", "256x4x14x14", 0),
    ("backbone.stages.conv4.0", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "512x4x14x14", 3_539_456),  # 27 * 256 * 512 + 512
    ("backbone.stages.conv4.2", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "512x4x14x14", 7_078_400),  # 27 * 512 * 512 + 512
    ("backbone.stages.conv4.4", "MaxPool3d", "2x2x2", "2x2x2", "0x0x0", "512x2x7x7", 0),
    ("backbone.stages.conv5.0", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "512x2x7x7", 7_078_400),
    ("backbone.stages.conv5.2", "Conv3d", "3x3x3", "1x1x1", "1x1x1", "512x2x7x7", 7_078_400),
    ("backbone.stages.conv5.4", "MaxPool3d", "2x2x2", "2x2x2", "0x1x1", "512x1x4x4", 0),
    ("backbone.read_out.1", "Linear", "-", "-", "-", "4096", 33_558_528),  # 4 * 4 * 512 * 4096 + 4096
    ("backbone.read_out.4", "Linear", "-", "-", "-", "4096", 16_781_312),  # 4096 * 4096 + 4096
    ("head.1", "Linear", "-", "-", "-", "487", 1_995_239),  # 4096 * 487 + 487
]


def test_each_layer_is_that_of_the_paper(on_meta: Build, walked: Walk) -> None:
    assert walked(on_meta(Conv3D, 487, CLIP, backbone="c3d"), 112) == C3D


@pytest.mark.parametrize(("num_classes", "total"), [(487, 79_991_015), (101, 78_409_573)])
def test_the_parameters_are_those_of_the_paper(num_classes: int, total: int, on_meta: Build) -> None:
    model = on_meta(Conv3D, num_classes, CLIP, backbone="c3d")
    assert num_parameters(model.get_submodule("backbone")) == 77_995_776  # the sum without the classifier
    assert num_parameters(model) == total


def test_relu_follows_every_layer_and_nothing_is_normalised(on_meta: Build) -> None:
    kinds = [type(m).__name__ for m in on_meta(Conv3D, 487, CLIP, backbone="c3d").modules()]
    assert kinds.count("ReLU") == 8 + 2
    assert not any("Norm" in kind for kind in kinds)


def test_half_of_both_fully_connected_layers_is_dropped(on_meta: Build) -> None:
    model = on_meta(Conv3D, 487, CLIP, backbone="c3d", dropout=0.0)  # of the classifier's input: fc7 is dropped already
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5, 0.0]
