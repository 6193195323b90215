"""R(2+1)D and inflated networks layer by layer against numbers worked out by hand.

Tran et al.: A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018, section 3.5: a convolution
of 3x3x3 becomes 1x3x3 to M maps and 3x1x1, with as many weights: M = floor(27 N_in N_out / (9 N_in + 3 N_out)).
Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017, section 2.4: kernels of k x k become k x k x k.
Convolutions before a normalisation have no bias.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torchvision import models

from vidcls.layers.layer_table import num_parameters
from vidcls.models import Conv3D, SingleFrame, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Layer = tuple[str, str, str, str, int]  # kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]


def pair(middle: int, step: int, places: str, places_out: str, weights: tuple[int, int], maps_out: int) -> list[Layer]:
    """A convolution in space to ``middle`` maps, then one in time."""
    return [
        ("1x3x3", f"1x{step}x{step}", "0x1x1", f"{middle}x{places}", weights[0]),
        ("3x1x1", f"{step}x1x1", "1x0x0", f"{maps_out}x{places_out}", weights[1]),
    ]


# Torchvision, as the authors' own code, has one M for both convolutions of a block, from the maps that enter and leave
# the block: 230, 460 and 921 where the maps double, for the second convolution too. The formula alone would give that
# one 288, 576 and 1152, and the first layer 83 maps in place of its 45.
R2PLUS1D_CONVOLUTIONS = [
    ("1x7x7", "1x2x2", "0x3x3", "45x16x56x56", 6_615),  # 49 * 3 * 45
    ("3x1x1", "1x1x1", "1x0x0", "64x16x56x56", 8_640),  # 3 * 45 * 64
    # 64 -> 64: M = 110,592 / 768 = 144; 9 * 64 * 144 and 3 * 144 * 64
    *4 * pair(144, 1, "16x56x56", "16x56x56", (82_944, 27_648), 64),
    # 64 -> 128: M = 221,184 / 960 = 230; 9 * 64 * 230 and 3 * 230 * 128; then 9 * 128 * 230
    *pair(230, 2, "16x28x28", "8x28x28", (132_480, 88_320), 128),
    *pair(230, 1, "8x28x28", "8x28x28", (264_960, 88_320), 128),
    ("1x1x1", "2x2x2", "0x0x0", "128x8x28x28", 8_192),  # 64 * 128, the shortcut
    # 128 -> 128: M = 442,368 / 1536 = 288
    *2 * pair(288, 1, "8x28x28", "8x28x28", (331_776, 110_592), 128),
    # 128 -> 256: M = 884,736 / 1920 = 460
    *pair(460, 2, "8x14x14", "4x14x14", (529_920, 353_280), 256),
    *pair(460, 1, "4x14x14", "4x14x14", (1_059_840, 353_280), 256),
    ("1x1x1", "2x2x2", "0x0x0", "256x4x14x14", 32_768),
    # 256 -> 256: M = 1,769,472 / 3072 = 576
    *2 * pair(576, 1, "4x14x14", "4x14x14", (1_327_104, 442_368), 256),
    # 256 -> 512: M = 3,538,944 / 3840 = 921
    *pair(921, 2, "4x7x7", "2x7x7", (2_121_984, 1_414_656), 512),
    *pair(921, 1, "2x7x7", "2x7x7", (4_243_968, 1_414_656), 512),
    ("1x1x1", "2x2x2", "0x0x0", "512x2x7x7", 131_072),
    # 512 -> 512: M = 7,077,888 / 6144 = 1152
    *2 * pair(1152, 1, "2x7x7", "2x7x7", (5_308_416, 1_769_472), 512),
]


def test_each_convolution_of_r2plus1d_is_that_of_the_formula(on_meta: Build, walked: Walk) -> None:
    model = on_meta(Conv3D, 400, ClipSettings(clip_len=16), backbone="r2plus1d_18")
    rows = walked(model, 112)
    convolutions = [(row[2], row[3], row[4], row[5], row[6]) for row in rows if "Conv" in row[1]]
    assert convolutions == R2PLUS1D_CONVOLUTIONS
    assert [row[5:] for row in rows if row[1] == "Linear"] == [("400", 205_200)]  # 512 * 400 + 400
    assert num_parameters(model) == 31_505_325  # 31.5 M in torchvision's table


# --- I3D ------------------------------------------------------------------------------------------------------------
# 64 frames of 224x224. The first pool leaves time alone; every other stride in space is one in time, too.
I3D_STEM: list[Layer] = [
    ("7x7x7", "2x2x2", "0x3x3", "64x32x112x112", 65_856),  # 343 * 3 * 64; in time the ends are repeated, not zero
    ("1x3x3", "1x2x2", "0x1x1", "64x32x56x56", 0),
]
I3D_FIRST_BLOCK = [
    ("1x1x1", "1x1x1", "0x0x0", "64x32x56x56", 4_096),  # 64 * 64
    ("3x3x3", "1x1x1", "0x1x1", "64x32x56x56", 110_592),  # 27 * 64 * 64
    ("1x1x1", "1x1x1", "0x0x0", "256x32x56x56", 16_384),  # 64 * 256
    ("1x1x1", "1x1x1", "0x0x0", "256x32x56x56", 16_384),  # the shortcut
]
I3D_STRIDED = [  # the second convolution of the first block of the second to fourth group
    ("layer2.0.conv2", "3x3x3", "2x2x2", "128x16x28x28", 442_368),  # 27 * 128 * 128
    ("layer3.0.conv2", "3x3x3", "2x2x2", "256x8x14x14", 1_769_472),  # 27 * 256 * 256
    ("layer4.0.conv2", "3x3x3", "2x2x2", "512x4x7x7", 7_077_888),  # 27 * 512 * 512
]


def test_an_inflated_resnet50_has_cubes_for_squares(on_meta: Build, walked: Walk) -> None:
    model = on_meta(Conv3D, 101, ClipSettings(clip_len=64), backbone="i3d_resnet50")
    rows = [row for row in walked(model, 224) if row[0].startswith("backbone.stages.")]
    assert [row[2:] for row in rows[:6]] == I3D_STEM + I3D_FIRST_BLOCK
    by_place = {row[0].removeprefix("backbone.stages."): row for row in rows}
    for place, kernel, stride, output, parameters in I3D_STRIDED:
        row = by_place[place]
        assert (row[2], row[3], row[5], row[6]) == (kernel, stride, output, parameters)


def test_an_inflated_resnet50_has_all_the_parameters_of_the_flat_one_and_those_of_its_cubes(on_meta: Build) -> None:
    # 25,557,032 - 2,049,000 of the classifier; 6 * 9,408 more in the first convolution; twice the 11,317,248 weights of
    # 3x3 kernels more: 9 * (3 * 64^2 + 4 * 128^2 + 6 * 256^2 + 3 * 512^2)
    model = on_meta(Conv3D, 101, ClipSettings(clip_len=64), backbone="i3d_resnet50")
    assert num_parameters(model.get_submodule("backbone")) == 46_198_976


def test_on_a_still_clip_the_inflated_model_answers_as_the_flat_one_on_its_frame(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    weights, names = str(tmp_path / "resnet18.pth"), ["left", "right"]
    flat = SingleFrame(class_names=names, clip=ClipSettings(clip_len=1), backbone="resnet18", weights=weights).eval()
    solid = Conv3D(class_names=names, clip=ClipSettings(clip_len=6), backbone="i3d_resnet18", weights=weights).eval()
    solid.head.load_state_dict(flat.head.state_dict())
    frame = torch.randn(2, 3, 1, 48, 48)
    with torch.no_grad():
        still, moving = frame.expand(-1, -1, 6, -1, -1), torch.randn(2, 3, 6, 48, 48)
        assert torch.allclose(solid(still), flat(frame), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(solid(moving), flat(moving[:, :, :1]), atol=1e-2)
