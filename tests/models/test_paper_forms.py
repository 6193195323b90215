"""Every paper form, layer by layer, against tables worked out by hand from the papers, never from a model.

A convolution has kernel * channels in * channels out weights and a bias for each channel out; sizes follow from
floor((in + 2 * padding - kernel) / stride) + 1, rounded up in pools with ceil_mode.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.layers.layer_table import layer_table, num_parameters
from vidcls.models import (
    Conv3D,
    EarlyFusion,
    LateFusion,
    RecurrentConv,
    SingleFrame,
    SlowFusion,
    TwoStream,
    TwoStreamFusion,
    VideoClassifier,
)
from vidcls.models.input_shapes import input_shapes
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
KINDS = ("Conv2d", "Conv3d", "Linear", "MaxPool2d", "MaxPool3d", "AdaptiveAvgPool2d", "LocalResponseNorm")


def walked(model: VideoClassifier, side_px: int) -> list[Row]:
    shapes = input_shapes(model.streams, model.clip, side_px)
    return [
        (
            row.name,
            row.kind,
            written(row.kernel),
            written(row.stride),
            written(row.padding),
            written(row.output_shape),
            row.num_parameters,
        )
        for row in layer_table(model, *shapes)
        if row.kind in KINDS
    ]


def written(sizes: tuple[int, ...] | str | None) -> str:
    return "-" if sizes is None else sizes if isinstance(sizes, str) else "x".join(map(str, sizes))


def on_meta(
    model_class: type[VideoClassifier], num_classes: int, clip: ClipSettings, **arguments: object
) -> VideoClassifier:
    names = [f"class{k}" for k in range(num_classes)]
    with torch.device("meta"):
        return model_class(class_names=names, clip=clip, **arguments)  # type: ignore[arg-type]


# --- Karpathy et al. 2014, section 3 ---------------------------------------------------------------------------------
# C(96,11,3) N P C(256,5,1) N P C(384,3,1) C(384,3,1) C(256,3,1) P FC(4096) FC(4096) softmax of 487

SINGLE_FRAME: list[Row] = [
    ("backbone.stages.conv1.0", "Conv2d", "11x11", "3x3", "0x0", "96x54x54", 34_944),  # 11 * 11 * 3 * 96 + 96
    ("backbone.stages.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x54x54", 0),
    ("backbone.stages.conv1.3", "MaxPool2d", "2x2", "2x2", "0x0", "96x27x27", 0),
    ("backbone.stages.conv2.0", "Conv2d", "5x5", "1x1", "2x2", "256x27x27", 614_656),  # 5 * 5 * 96 * 256 + 256
    ("backbone.stages.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x27x27", 0),
    ("backbone.stages.conv2.3", "MaxPool2d", "2x2", "2x2", "0x0", "256x14x14", 0),
    ("backbone.stages.conv3.0", "Conv2d", "3x3", "1x1", "1x1", "384x14x14", 885_120),  # 3 * 3 * 256 * 384 + 384
    ("backbone.stages.conv4.0", "Conv2d", "3x3", "1x1", "1x1", "384x14x14", 1_327_488),  # 3 * 3 * 384 * 384 + 384
    ("backbone.stages.conv5.0", "Conv2d", "3x3", "1x1", "1x1", "256x14x14", 884_992),  # 3 * 3 * 384 * 256 + 256
    ("backbone.stages.conv5.2", "MaxPool2d", "2x2", "2x2", "0x0", "256x7x7", 0),
    ("backbone.read_out.1", "Linear", "-", "-", "-", "4096", 51_384_320),  # 7 * 7 * 256 * 4096 + 4096
    ("backbone.read_out.4", "Linear", "-", "-", "-", "4096", 16_781_312),  # 4096 * 4096 + 4096
    ("head.1", "Linear", "-", "-", "-", "487", 1_995_239),  # 4096 * 487 + 487
]
LATE_FC6 = 102_764_544  # 2 * 7 * 7 * 256 * 4096 + 4096
EARLY_CONV1 = 348_576  # 11 * 11 * 3 * 10 * 96 + 96
# Slow fusion: first extent 4 and stride 2 in time, then 2 and 2, then 2; 10 frames -> 4 -> 2 -> 1 responses.
SLOW_FUSION: list[Row] = [
    ("backbone.stages.conv1.0", "Conv3d", "4x11x11", "2x3x3", "0x0x0", "96x4x54x54", 139_488),  # 4 * 34,848 + 96
    ("backbone.stages.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x4x54x54", 0),
    ("backbone.stages.conv1.3", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "96x4x27x27", 0),
    ("backbone.stages.conv2.0", "Conv3d", "2x5x5", "2x1x1", "0x2x2", "256x2x27x27", 1_229_056),  # 2 * 614,400 + 256
    ("backbone.stages.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x2x27x27", 0),
    ("backbone.stages.conv2.3", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "256x2x14x14", 0),
    ("backbone.stages.conv3.0", "Conv3d", "2x3x3", "1x1x1", "0x1x1", "384x1x14x14", 1_769_856),  # 2 * 884,736 + 384
    ("backbone.stages.conv4.0", "Conv3d", "1x3x3", "1x1x1", "0x1x1", "384x1x14x14", 1_327_488),
    ("backbone.stages.conv5.0", "Conv3d", "1x3x3", "1x1x1", "0x1x1", "256x1x14x14", 884_992),
    ("backbone.stages.conv5.2", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "256x1x7x7", 0),
    ("backbone.read_out.read_out.1", "Linear", "-", "-", "-", "4096", 51_384_320),
    ("backbone.read_out.read_out.4", "Linear", "-", "-", "-", "4096", 16_781_312),
    ("head.1", "Linear", "-", "-", "-", "487", 1_995_239),
]
SPORTS_1M = 487
KARPATHY_CLIPS: dict[type[VideoClassifier], ClipSettings] = {
    SingleFrame: ClipSettings(clip_len=1),
    LateFusion: ClipSettings(clip_len=2, stride=15),
    EarlyFusion: ClipSettings(clip_len=10),
    SlowFusion: ClipSettings(clip_len=10),
}


def karpathy(model_class: type[VideoClassifier], **arguments: object) -> VideoClassifier:
    return on_meta(model_class, SPORTS_1M, KARPATHY_CLIPS[model_class], backbone="karpathy", **arguments)


def replaced(rows: list[Row], **changes: tuple[int, object]) -> list[Row]:
    """The same rows but for one entry of some: place -> (column, value)."""
    by_place = {place.replace("__", "."): change for place, change in changes.items()}
    out = []
    for row in rows:
        entries = list(row)
        if row[0] in by_place:
            column, value = by_place[row[0]]
            entries[column] = value  # type: ignore[call-overload]
        out.append(tuple(entries))
    return out  # type: ignore[return-value]


def test_single_frame_is_that_of_the_paper() -> None:
    assert walked(karpathy(SingleFrame), 170) == SINGLE_FRAME


def test_early_fusion_changes_the_first_layer_alone() -> None:
    assert walked(karpathy(EarlyFusion), 170) == replaced(SINGLE_FRAME, backbone__stages__conv1__0=(6, EARLY_CONV1))


def test_late_fusion_joins_two_towers_in_the_first_fully_connected_layer() -> None:
    model = karpathy(LateFusion)
    assert model.clip.stride == 15
    assert walked(model, 170) == replaced(SINGLE_FRAME, backbone__read_out__1=(6, LATE_FC6))


def test_slow_fusion_grows_its_extent_in_time() -> None:
    model = karpathy(SlowFusion)
    assert walked(model, 170) == SLOW_FUSION
    assert model.receptive_field == 10


def test_the_normalisation_is_that_of_the_paper() -> None:
    norms = [m for m in karpathy(SingleFrame).modules() if isinstance(m, nn.LocalResponseNorm)]
    # k 2, n 5, alpha 1e-4, beta .5; PyTorch divides alpha by n
    assert [(m.k, m.size, m.alpha, m.beta) for m in norms] == [(2, 5, 5e-4, 0.5)] * 2


# Fovea and context: 178x178 becomes two of 89x89, the last pool is dropped, both end in 7x7x256.
TOWER_OUTPUTS = ["27x27", "27x27", "14x14", "14x14", "14x14", "7x7", "7x7", "7x7", "7x7"]


@pytest.mark.parametrize(
    ("model_class", "conv1", "fc6"),
    [
        (SingleFrame, 34_944, 102_764_544),  # 2 * 7 * 7 * 256 * 4096 + 4096
        (EarlyFusion, 348_576, 102_764_544),
        (LateFusion, 34_944, 205_524_992),  # 4 * 7 * 7 * 256 * 4096 + 4096
        (SlowFusion, 139_488, 102_764_544),
    ],
)
def test_fovea_and_context_are_two_towers_of_89_pixels(
    model_class: type[VideoClassifier], conv1: int, fc6: int
) -> None:
    rows = walked(karpathy(model_class, multi_resolution=True), 178)
    for tower in ("context", "fovea"):
        own = [row for row in rows if row[0].startswith(f"backbone.{tower}.")]
        assert ["x".join(row[5].split("x")[-2:]) for row in own] == TOWER_OUTPUTS
        assert own[0][6] == conv1
        assert own[-1][5].split("x")[0] == "256"
    rest = [(row[1], row[5], row[6]) for row in rows if "context" not in row[0] and "fovea" not in row[0]]
    assert rest == [("Linear", "4096", fc6), ("Linear", "4096", 16_781_312), ("Linear", "487", 1_995_239)]


# --- Tran et al. 2015: C3D -------------------------------------------------------------------------------------------
# All kernels 3x3x3 with padding 1; the first pool is 1x2x2, the others 2x2x2, the last with a border of 1 in space.

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
    ("backbone.read_out.4", "Linear", "-", "-", "-", "4096", 16_781_312),
    ("head.1", "Linear", "-", "-", "-", "487", 1_995_239),
]


def test_c3d_is_that_of_the_paper() -> None:
    model = on_meta(Conv3D, SPORTS_1M, ClipSettings(clip_len=16), backbone="c3d")
    assert walked(model, 112) == C3D
    assert num_parameters(model.backbone) == 77_995_776


# --- Tran et al. 2018: R(2+1)D ---------------------------------------------------------------------------------------
# M = floor(3 * 9 * N_in * N_out / (9 * N_in + 3 * N_out)): (64, 64) 144, (64, 128) 230, (128, 128) 288, (128, 256) 460,
# (256, 256) 576, (256, 512) 921, (512, 512) 1152. Torchvision takes one M for both convolutions of a block, from the
# block's own channels in and out; its stem has 45 maps of 7x7.

R2PLUS1D_MIDDLES = [45] + [144] * 4 + [230] * 2 + [288] * 2 + [460] * 2 + [576] * 2 + [921] * 2 + [1152] * 2


def test_the_middle_widths_of_r2plus1d_are_those_of_the_formula() -> None:
    model = on_meta(Conv3D, 400, ClipSettings(clip_len=16), backbone="r2plus1d_18")
    spatial = [
        m for m in model.modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] == 1 and m.kernel_size[1] > 1
    ]
    temporal = [m for m in model.modules() if isinstance(m, nn.Conv3d) and m.kernel_size == (3, 1, 1)]
    assert [m.out_channels for m in spatial] == R2PLUS1D_MIDDLES
    assert [m.in_channels for m in temporal] == R2PLUS1D_MIDDLES
    assert num_parameters(model) == 31_505_325  # torchvision's own count


# --- Ballas et al. 2016: GRU-RCN on VGG-16 ---------------------------------------------------------------------------
# Levels pool2, pool3, pool4, pool5, fc7 with hidden maps 64, 128, 256, 256, 512; 3x3 kernels, full connections on fc7.
# A level has three products of the input (9 C D each) and three of the state (9 D D each), without biases.

GRU_RCN_LEVELS = [  # input maps, side, hidden maps, parameters
    (128, 56, 64, 331_776),  # 3 * 9 * 64 * (128 + 64)
    (256, 28, 128, 1_327_104),  # 3 * 9 * 128 * (256 + 128)
    (512, 14, 256, 5_308_416),  # 3 * 9 * 256 * (512 + 256)
    (512, 7, 256, 5_308_416),
    (4096, 1, 512, 7_077_888),  # 3 * 512 * (4096 + 512)
]
STACKED_PARAMETERS = [331_776, 1_548_288, 6_193_152, 7_077_888, 7_471_104]  # + 27 D D_below, on fc7 + 3 D D_below
VGG16_PARAMETERS = 134_260_544  # without its 1000-way classifier: 138,357,544 - 4096 * 1000 - 1000
PAPER_LEVELS: dict[str, object] = {
    "backbone": "vgg16",
    "levels": ["block2", "block3", "block4", "block5", "read_out"],
    "widths": [64, 128, 256, 256, 512],
    "snippets": "join",
}
TEN_FRAMES = ClipSettings(num_snippets=10, clip_len=1)


def gru_rcn(**arguments: object) -> RecurrentConv:
    model = on_meta(RecurrentConv, 101, TEN_FRAMES, **PAPER_LEVELS, **arguments)
    assert isinstance(model, RecurrentConv)
    return model


def test_gru_rcn_has_the_five_levels_of_the_paper() -> None:
    model = gru_rcn()
    rows = {row[0]: row for row in walked(model, 224)}
    for k, (c_in, side, hidden, parameters) in enumerate(GRU_RCN_LEVELS):
        kernel = "3x3" if side > 1 else "1x1"
        padding = "1x1" if side > 1 else "0x0"
        places = f"{side}x{side}"
        unit = model.forwards[k]
        assert unit.from_input.in_channels == c_in
        assert num_parameters(unit) == parameters
        assert rows[f"forwards.{k}.from_input"][2:6] == (kernel, "1x1", padding, f"{3 * hidden}x{places}")
        assert rows[f"forwards.{k}.to_gates"][2:6] == (kernel, "1x1", padding, f"{2 * hidden}x{places}")
        assert rows[f"forwards.{k}.to_candidate"][2:6] == (kernel, "1x1", padding, f"{hidden}x{places}")
        assert rows[f"heads.{k}.1"][5:] == ("101", hidden * 101 + 101)
    assert num_parameters(model.backbone) == VGG16_PARAMETERS
    assert model.receptive_field == 10


def test_the_units_have_no_bias() -> None:
    assert all(name.endswith("weight") for name, _ in gru_rcn().forwards.named_parameters())


def test_stacked_levels_get_a_product_of_the_level_below_for_each_gate() -> None:
    model = gru_rcn(stacked=True)
    assert [num_parameters(unit) for unit in model.forwards] == STACKED_PARAMETERS


def test_the_bidirectional_form_has_a_unit_for_each_direction_and_joins_them() -> None:
    model = gru_rcn(bidirectional=True)
    for units in (model.forwards, model.backwards):
        assert [num_parameters(unit) for unit in units] == [parameters for *_, parameters in GRU_RCN_LEVELS]
    assert [head[1].in_features for head in model.heads] == [128, 256, 512, 512, 1024]


# --- Simonyan and Zisserman 2014; Feichtenhofer et al. 2016; Carreira and Zisserman 2017 -----------------------------


def test_both_streams_of_the_paper_have_their_classifiers_on_2048_features() -> None:
    model = on_meta(
        TwoStream, 101, ClipSettings(clip_len=1, flow_len=10), spatial="cnn_m_2048", temporal="cnn_m_2048_temporal"
    )
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["nets.spatial.stages.conv1.0"][2:] == ("7x7", "2x2", "0x0", "96x109x109", 14_208)
    assert rows["nets.temporal.stages.conv1.0"][2:] == ("7x7", "2x2", "0x0", "96x109x109", 94_176)  # 49 * 20 * 96 + 96
    for part in ("spatial", "temporal"):
        assert rows[f"heads.{part}.1"][5:] == ("101", 206_949)  # 2048 * 101 + 101
    norms = [name for name, kind, *_ in rows.values() if kind == "LocalResponseNorm"]
    assert norms == [f"nets.spatial.stages.conv{k}.2" for k in (1, 2)] + ["nets.temporal.stages.conv1.2"]


def test_two_vgg_networks_are_fused_by_a_convolution_of_1024_maps_to_512() -> None:
    model = on_meta(
        TwoStreamFusion,
        101,
        ClipSettings(clip_len=1, flow_len=10),
        spatial="vgg16",
        temporal="vgg16",
        fuse_at="block5",
        method="conv",
    )
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["fusion.mix"][2:] == ("1x1", "1x1", "0x0", "512x7x7", 524_800)  # 1024 * 512 + 512
    assert rows["temporal.stages.block1.0"][6] == 11_584  # 3 * 3 * 20 * 64 + 64
    assert rows["spatial.read_out.2"][6] == 102_764_544  # 7 * 7 * 512 * 4096 + 4096
    assert not [name for name in rows if name.startswith("temporal.read_out")]


@pytest.mark.parametrize(
    ("method", "num_features"), [("sum", 4096), ("max", 4096), ("concat", 4096), ("bilinear", 512 * 512)]
)
def test_every_fusion_of_the_paper_feeds_the_classifier(method: str, num_features: int) -> None:
    model = on_meta(
        TwoStreamFusion,
        101,
        ClipSettings(clip_len=1, flow_len=10),
        spatial="vgg16",
        temporal="vgg16",
        method=method,
    )
    rows = {row[0]: row for row in walked(model, 224)}
    assert rows["head.1"][5:] == ("101", num_features * 101 + 101)


# I3D of ResNet-50, 64 frames of 224x224: 32x112x112 after the first convolution, whose pool leaves time alone.
I3D_STAGES = {
    "stem": "64x32x56x56",
    "layer1": "256x32x56x56",
    "layer2": "512x16x28x28",
    "layer3": "1024x8x14x14",
    "layer4": "2048x4x7x7",
}


def test_two_streams_of_inflated_networks_see_64_frames_and_fields() -> None:
    model = on_meta(
        TwoStream, 101, ClipSettings(clip_len=64, flow_len=64), spatial="i3d_resnet50", temporal="i3d_resnet50"
    )
    for part, in_channels in (("spatial", 3), ("temporal", 2)):
        backbone = model.nets[part]
        shapes = backbone.shapes((in_channels, 64, 224, 224))
        assert {name: written(shapes[name]) for name in I3D_STAGES} == I3D_STAGES
        assert backbone.stem.kernel_size == (7, 7, 7)
