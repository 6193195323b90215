"""Two streams, and two streams that are fused, against numbers worked out by hand.

Simonyan and Zisserman: Two-Stream Convolutional Networks for Action Recognition in Videos, NIPS 2014 (the layers that
both CNN-M-2048 share are held beside the backbone itself), and Feichtenhofer, Pinz, Zisserman: Convolutional Two-Stream
Network Fusion for Video Action Recognition, CVPR 2016, on two VGG-16; Carreira and Zisserman: Quo Vadis, Action
Recognition?, CVPR 2017, on two inflated ResNet-50. The 101 classes are those of UCF101.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from torch import nn

from vidcls.layers import Backbone
from vidcls.layers.layer_table import num_parameters
from vidcls.models import TwoStream, TwoStreamFusion, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]
TEN_FIELDS = ClipSettings(clip_len=1, flow_len=10)
CNN_M = {"spatial": "cnn_m_2048", "temporal": "cnn_m_2048_temporal"}
VGG = {"spatial": "vgg16", "temporal": "vgg16"}

# From conv3 on the streams are alike.
LAST_LAYERS = [
    ("stages.conv3.0", "Conv2d", "3x3", "1x1", "1x1", "512x13x13", 1_180_160),  # 3 * 3 * 256 * 512 + 512
    ("stages.conv4.0", "Conv2d", "3x3", "1x1", "1x1", "512x13x13", 2_359_808),  # 3 * 3 * 512 * 512 + 512
    ("stages.conv5.0", "Conv2d", "3x3", "1x1", "1x1", "512x13x13", 2_359_808),
    ("stages.conv5.2", "MaxPool2d", "3x3", "2x2", "0x0", "512x6x6", 0),
    ("read_out.1", "Linear", "-", "-", "-", "4096", 75_501_568),  # 6 * 6 * 512 * 4096 + 4096
    ("read_out.4", "Linear", "-", "-", "-", "2048", 8_390_656),  # 4096 * 2048 + 2048
]
SPATIAL = [
    ("stages.conv1.0", "Conv2d", "7x7", "2x2", "0x0", "96x109x109", 14_208),  # 7 * 7 * 3 * 96 + 96
    ("stages.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x109x109", 0),
    ("stages.conv1.3", "MaxPool2d", "3x3", "2x2", "0x0", "96x54x54", 0),
    ("stages.conv2.0", "Conv2d", "5x5", "2x2", "1x1", "256x26x26", 614_656),  # 5 * 5 * 96 * 256 + 256
    ("stages.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x26x26", 0),
    ("stages.conv2.3", "MaxPool2d", "3x3", "2x2", "0x0", "256x13x13", 0),
    *LAST_LAYERS,
]
TEMPORAL = [
    ("stages.conv1.0", "Conv2d", "7x7", "2x2", "0x0", "96x109x109", 94_176),  # 7 * 7 * 20 * 96 + 96
    ("stages.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x109x109", 0),
    ("stages.conv1.3", "MaxPool2d", "3x3", "2x2", "0x0", "96x54x54", 0),
    ("stages.conv2.0", "Conv2d", "5x5", "2x2", "1x1", "256x26x26", 614_656),
    ("stages.conv2.3", "MaxPool2d", "3x3", "2x2", "0x0", "256x13x13", 0),  # no second normalisation
    *LAST_LAYERS,
]


@pytest.mark.parametrize(
    ("part", "layers", "total"), [("spatial", SPATIAL, 90_420_864), ("temporal", TEMPORAL, 90_500_832)]
)
def test_each_layer_of_a_stream_is_that_of_the_paper(
    part: str, layers: list[Row], total: int, on_meta: Build, walked: Walk
) -> None:
    model = on_meta(TwoStream, 101, TEN_FIELDS, **CNN_M)
    place = f"nets.{part}."
    rows = [(row[0].removeprefix(place), *row[1:]) for row in walked(model, 224) if row[0].startswith(place)]
    assert rows == layers
    assert num_parameters(model.get_submodule(f"nets.{part}")) == total


def test_each_stream_has_a_classifier_of_its_own_on_2048_features(on_meta: Build, walked: Walk) -> None:
    model = on_meta(TwoStream, 101, TEN_FIELDS, **CNN_M)
    rows = {row[0]: row for row in walked(model, 224)}
    for part in ("spatial", "temporal"):
        assert rows[f"heads.{part}.1"][1:] == ("Linear", "-", "-", "-", "101", 206_949)  # 2048 * 101 + 101
    assert num_parameters(model) == 181_335_594  # 90,420,864 + 90,500,832 + 2 * 206,949


def test_nine_tenths_of_both_fully_connected_layers_are_dropped(on_meta: Build) -> None:
    model = on_meta(TwoStream, 101, TEN_FIELDS, **CNN_M, dropout=0.0)
    for part in ("spatial", "temporal"):
        net = model.get_submodule(f"nets.{part}")
        assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.9, 0.9]


@pytest.mark.parametrize("num_fields", [1, 5, 10])
def test_the_temporal_stream_has_two_channels_for_each_field(num_fields: int, on_meta: Build) -> None:
    model = on_meta(TwoStream, 101, ClipSettings(clip_len=1, flow_len=num_fields), **CNN_M)
    conv1 = cast(nn.Conv2d, model.get_submodule("nets.temporal.stages.conv1.0"))
    assert (conv1.in_channels, num_parameters(conv1)) == {1: (2, 9_504), 5: (10, 47_136), 10: (20, 94_176)}[num_fields]


# --- Feichtenhofer et al. 2016: two VGG-16 ---------------------------------------------------------------------------
# Without the classifier VGG-16 has 134,260,544 parameters, 14,714,688 of them in its convolutions; with 20 channels
# 3 * 3 * 17 * 64 = 9,792 more. A classifier of 101 on fc7 has 4096 * 101 + 101 = 413,797.


@pytest.mark.parametrize(
    ("method", "fused", "classifier", "total"),
    [
        ("sum", "512x7x7", 413_797, 149_398_821),  # 134,260,544 + 14,724,480 + 413,797
        ("max", "512x7x7", 413_797, 149_398_821),
        ("conv", "512x7x7", 413_797, 149_923_621),  # and 1024 * 512 + 512 = 524,800
        # no fully connected layer: 14,714,688 + 14,724,480 and a classifier on 512 * 512 products
        ("bilinear", "262144", 26_476_645, 55_915_813),
    ],
)
def test_the_fused_maps_of_two_vgg16_have_the_sizes_of_the_formula(
    method: str, fused: str, classifier: int, total: int, on_meta: Build, walked: Walk
) -> None:
    model = on_meta(TwoStreamFusion, 101, TEN_FIELDS, **VGG, method=method)
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["fusion.mix" if method == "conv" else "fusion"][5] == fused
    assert rows["head.1"][5:] == ("101", classifier)
    assert num_parameters(model) == total


def test_the_fusing_convolution_takes_1024_maps_to_512(on_meta: Build, walked: Walk) -> None:
    model = on_meta(TwoStreamFusion, 101, TEN_FIELDS, **VGG, method="conv", fuse_at="block5")
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["fusion.mix"][1:] == ("Conv2d", "1x1", "1x1", "0x0", "512x7x7", 524_800)  # 1024 * 512 + 512
    assert cast(nn.Conv2d, model.get_submodule("fusion.mix")).in_channels == 1024


def test_concatenated_maps_are_twice_as_many_for_the_first_fully_connected_layer(on_meta: Build, walked: Walk) -> None:
    model = on_meta(TwoStreamFusion, 101, TEN_FIELDS, **VGG, method="concat")
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["fusion"][5] == "1024x7x7"
    assert rows["spatial.read_out.2"][5:] == ("4096", 205_524_992)  # 7 * 7 * 1024 * 4096 + 4096
    assert rows["head.1"][5:] == ("101", 413_797)
    assert num_parameters(model) == 252_159_269  # 7 * 7 * 512 * 4096 more than the sum


def test_the_spatial_stream_goes_on_and_the_temporal_one_ends_where_they_are_fused(
    on_meta: Build, walked: Walk
) -> None:
    rows = {row[0]: row for row in walked(on_meta(TwoStreamFusion, 101, TEN_FIELDS, **VGG, method="sum"), 224)}
    assert rows["spatial.stages.block1.0"][2:] == ("3x3", "1x1", "1x1", "64x224x224", 1_792)  # 3 * 3 * 3 * 64 + 64
    assert rows["temporal.stages.block1.0"][2:] == ("3x3", "1x1", "1x1", "64x224x224", 11_584)  # 3 * 3 * 20 * 64 + 64
    fully_connected = {name: row[5:] for name, row in rows.items() if row[1] == "Linear" and name != "head.1"}
    assert sorted(fully_connected.values()) == [("4096", 16_781_312), ("4096", 102_764_544)]
    assert all(name.startswith("spatial.read_out") for name in fully_connected)


# --- Carreira and Zisserman 2017, on ResNet-50: 64 frames and 64 fields of 224x224 -----------------------------------
# 32x112x112 after the first convolution, whose pool leaves time alone.
I3D_STAGES = {
    "stem": (64, 32, 56, 56),
    "layer1": (256, 32, 56, 56),
    "layer2": (512, 16, 28, 28),
    "layer3": (1024, 8, 14, 14),
    "layer4": (2048, 4, 7, 7),
}


@pytest.mark.parametrize(("part", "in_channels"), [("spatial", 3), ("temporal", 2)])
def test_a_stream_of_an_inflated_network_sees_64_frames_or_fields(part: str, in_channels: int, on_meta: Build) -> None:
    clip = ClipSettings(clip_len=64, flow_len=64)
    model = on_meta(TwoStream, 101, clip, spatial="i3d_resnet50", temporal="i3d_resnet50")
    backbone = cast(Backbone, model.get_submodule(f"nets.{part}"))
    shapes = backbone.shapes((in_channels, 64, 224, 224))
    assert {name: shapes[name] for name in I3D_STAGES} == I3D_STAGES
    assert backbone.stem.kernel_size == (7, 7, 7)
