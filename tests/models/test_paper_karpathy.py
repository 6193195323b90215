"""Single frame, early, late and slow fusion layer by layer against tables worked out by hand.

Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3. The single
frame is C(96,11,3) N P C(256,5,1) N P C(384,3,1) C(384,3,1) C(256,3,1) P FC(4096) FC(4096), and a softmax over the 487
classes of Sports-1M. A convolution has kernel * channels in * channels out weights and a bias for each channel out.
The paper prints no padding: none in the first layer, the same size in the others and pools that round up are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vidcls.layers.layer_table import num_parameters
from vidcls.models import EarlyFusion, LateFusion, SingleFrame, SlowFusion, VideoClassifier
from vidcls.types import ClipSettings

Row = tuple[str, str, str, str, str, str, int]  # place, kind, kernel, stride, padding, output, parameters
Build = Callable[..., VideoClassifier]
Walk = Callable[[VideoClassifier, int], list[Row]]

CLIPS: dict[type[VideoClassifier], ClipSettings] = {
    SingleFrame: ClipSettings(clip_len=1),
    EarlyFusion: ClipSettings(clip_len=10),
    LateFusion: ClipSettings(clip_len=2, stride=15),
    SlowFusion: ClipSettings(clip_len=10),
}

CONV1_OF_ONE_FRAME = 34_944  # 11 * 11 * 3 * 96 + 96
CONV1_OF_TEN_FRAMES = 348_576  # 11 * 11 * 3 * 10 * 96 + 96
FC6_OF_ONE_TOWER = 51_384_320  # 7 * 7 * 256 * 4096 + 4096
FC6_OF_TWO_TOWERS = 102_764_544  # 2 * 7 * 7 * 256 * 4096 + 4096
FC6_OF_FOUR_TOWERS = 205_524_992  # 4 * 7 * 7 * 256 * 4096 + 4096


def frame_layers(place: str, conv1: int) -> list[Row]:
    """170 -> 54 -> 27 -> 14 -> 7 px."""
    return [
        (f"{place}.conv1.0", "Conv2d", "11x11", "3x3", "0x0", "96x54x54", conv1),
        (f"{place}.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x54x54", 0),
        (f"{place}.conv1.3", "MaxPool2d", "2x2", "2x2", "0x0", "96x27x27", 0),
        (f"{place}.conv2.0", "Conv2d", "5x5", "1x1", "2x2", "256x27x27", 614_656),  # 5 * 5 * 96 * 256 + 256
        (f"{place}.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x27x27", 0),
        (f"{place}.conv2.3", "MaxPool2d", "2x2", "2x2", "0x0", "256x14x14", 0),
        (f"{place}.conv3.0", "Conv2d", "3x3", "1x1", "1x1", "384x14x14", 885_120),  # 3 * 3 * 256 * 384 + 384
        (f"{place}.conv4.0", "Conv2d", "3x3", "1x1", "1x1", "384x14x14", 1_327_488),  # 3 * 3 * 384 * 384 + 384
        (f"{place}.conv5.0", "Conv2d", "3x3", "1x1", "1x1", "256x14x14", 884_992),  # 3 * 3 * 384 * 256 + 256
        (f"{place}.conv5.2", "MaxPool2d", "2x2", "2x2", "0x0", "256x7x7", 0),
    ]


def tower_layers(place: str, conv1: int) -> list[Row]:
    """89 -> 27 -> 14 -> 7 px: half the picture, without the last pool."""
    return [
        (f"{place}.conv1.0", "Conv2d", "11x11", "3x3", "0x0", "96x27x27", conv1),
        (f"{place}.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x27x27", 0),
        (f"{place}.conv1.3", "MaxPool2d", "2x2", "2x2", "0x0", "96x14x14", 0),
        (f"{place}.conv2.0", "Conv2d", "5x5", "1x1", "2x2", "256x14x14", 614_656),
        (f"{place}.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x14x14", 0),
        (f"{place}.conv2.3", "MaxPool2d", "2x2", "2x2", "0x0", "256x7x7", 0),
        (f"{place}.conv3.0", "Conv2d", "3x3", "1x1", "1x1", "384x7x7", 885_120),
        (f"{place}.conv4.0", "Conv2d", "3x3", "1x1", "1x1", "384x7x7", 1_327_488),
        (f"{place}.conv5.0", "Conv2d", "3x3", "1x1", "1x1", "256x7x7", 884_992),
    ]


# First extent 4 every 2 frames, then 2 every 2, then 2: 10 frames -> 4 -> 2 -> 1 responses.
SLOW_LAYERS: list[Row] = [
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
]


def slow_tower_layers(place: str) -> list[Row]:
    """89 -> 27 -> 14 -> 7 px and 10 -> 4 -> 2 -> 1 responses in time."""
    return [
        (f"{place}.conv1.0", "Conv3d", "4x11x11", "2x3x3", "0x0x0", "96x4x27x27", 139_488),
        (f"{place}.conv1.2", "LocalResponseNorm", "-", "-", "-", "96x4x27x27", 0),
        (f"{place}.conv1.3", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "96x4x14x14", 0),
        (f"{place}.conv2.0", "Conv3d", "2x5x5", "2x1x1", "0x2x2", "256x2x14x14", 1_229_056),
        (f"{place}.conv2.2", "LocalResponseNorm", "-", "-", "-", "256x2x14x14", 0),
        (f"{place}.conv2.3", "MaxPool3d", "1x2x2", "1x2x2", "0x0x0", "256x2x7x7", 0),
        (f"{place}.conv3.0", "Conv3d", "2x3x3", "1x1x1", "0x1x1", "384x1x7x7", 1_769_856),
        (f"{place}.conv4.0", "Conv3d", "1x3x3", "1x1x1", "0x1x1", "384x1x7x7", 1_327_488),
        (f"{place}.conv5.0", "Conv3d", "1x3x3", "1x1x1", "0x1x1", "256x1x7x7", 884_992),
    ]


def fully_connected(place: str, fc6: int) -> list[Row]:
    return [
        (f"{place}.1", "Linear", "-", "-", "-", "4096", fc6),
        (f"{place}.4", "Linear", "-", "-", "-", "4096", 16_781_312),  # 4096 * 4096 + 4096
        ("head.1", "Linear", "-", "-", "-", "487", 1_995_239),  # 4096 * 487 + 487
    ]


def two_towers(conv1: int) -> list[Row]:
    return [*tower_layers("backbone.context.stages", conv1), *tower_layers("backbone.fovea.stages", conv1)]


ONE_RESOLUTION: list[tuple[type[VideoClassifier], list[Row], str, int, int]] = [
    # network, its convolutions and pools, place of its read-out, first fully connected layer, all parameters
    (
        SingleFrame,
        frame_layers("backbone.stages", CONV1_OF_ONE_FRAME),
        "backbone.read_out",
        FC6_OF_ONE_TOWER,
        73_908_071,
    ),
    (
        EarlyFusion,
        frame_layers("backbone.stages", CONV1_OF_TEN_FRAMES),
        "backbone.read_out",
        FC6_OF_ONE_TOWER,
        74_221_703,
    ),
    (
        LateFusion,
        frame_layers("backbone.stages", CONV1_OF_ONE_FRAME),  # one set of weights for both towers
        "backbone.read_out",
        FC6_OF_TWO_TOWERS,
        125_288_295,
    ),
    (SlowFusion, SLOW_LAYERS, "backbone.read_out.read_out", FC6_OF_ONE_TOWER, 75_511_751),
]
FOVEA_AND_CONTEXT: list[tuple[type[VideoClassifier], list[Row], str, int, int]] = [
    (SingleFrame, two_towers(CONV1_OF_ONE_FRAME), "backbone.read_out", FC6_OF_TWO_TOWERS, 129_035_495),
    (EarlyFusion, two_towers(CONV1_OF_TEN_FRAMES), "backbone.read_out", FC6_OF_TWO_TOWERS, 129_662_759),
    (LateFusion, two_towers(CONV1_OF_ONE_FRAME), "backbone.read_out", FC6_OF_FOUR_TOWERS, 231_795_943),
    (
        SlowFusion,
        [*slow_tower_layers("backbone.context.stages"), *slow_tower_layers("backbone.fovea.stages")],
        "backbone.read_out.read_out",
        FC6_OF_TWO_TOWERS,
        132_242_855,
    ),
]


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize(("model_class", "layers", "read_out", "fc6", "total"), ONE_RESOLUTION, ids=name_of)
def test_each_layer_is_that_of_the_paper(
    model_class: type[VideoClassifier],
    layers: list[Row],
    read_out: str,
    fc6: int,
    total: int,
    on_meta: Build,
    walked: Walk,
) -> None:
    model = on_meta(model_class, 487, CLIPS[model_class], backbone="karpathy")
    assert walked(model, 170) == [*layers, *fully_connected(read_out, fc6)]
    assert num_parameters(model) == total


@pytest.mark.parametrize(("model_class", "layers", "read_out", "fc6", "total"), FOVEA_AND_CONTEXT, ids=name_of)
def test_each_layer_of_fovea_and_context_is_that_of_the_paper(
    model_class: type[VideoClassifier],
    layers: list[Row],
    read_out: str,
    fc6: int,
    total: int,
    on_meta: Build,
    walked: Walk,
) -> None:
    model = on_meta(model_class, 487, CLIPS[model_class], backbone="karpathy", multi_resolution=True)
    assert walked(model, 178) == [*layers, *fully_connected(read_out, fc6)]
    assert num_parameters(model) == total


def test_the_normalisation_has_the_constants_of_the_paper(on_meta: Build) -> None:
    for model_class, clip in CLIPS.items():
        model = on_meta(model_class, 487, clip, backbone="karpathy")
        norms = [m for m in model.modules() if isinstance(m, nn.LocalResponseNorm)]
        # alpha is 1e-4 in the paper; PyTorch divides it by the 5 channels
        assert [(m.k, m.size, m.alpha, m.beta) for m in norms] == [(2, 5, 5e-4, 0.5)] * 2, model_class


def test_each_network_sees_as_many_frames_as_in_the_paper(on_meta: Build) -> None:
    seen = {c: on_meta(c, 487, clip, backbone="karpathy").receptive_field for c, clip in CLIPS.items()}
    assert seen == {SingleFrame: 1, EarlyFusion: 10, LateFusion: 2, SlowFusion: 10}


# Response k of the first layer sees frames 2k to 2k + 3; of the second, responses 2k and 2k + 1 of the first.
@pytest.mark.parametrize(
    ("stage", "frames"),
    [
        ("conv1", [(0, 3), (2, 5), (4, 7), (6, 9)]),
        ("conv2", [(0, 5), (4, 9)]),
        ("conv3", [(0, 9)]),
    ],
)
def test_each_response_of_slow_fusion_sees_the_frames_of_the_papers_figure(
    stage: str, frames: list[tuple[int, int]], on_meta: Build
) -> None:
    stages = on_meta(SlowFusion, 487, CLIPS[SlowFusion], backbone="karpathy").get_submodule("backbone.stages")
    clip = torch.ones(1, 3, 10, 17, 17, requires_grad=True)
    maps: Tensor = clip
    for name, module in stages.named_children():
        filled = module.to_empty(device="cpu")
        for parameter in filled.parameters():
            nn.init.constant_(parameter, 0.01)  # every response is positive, so that nothing hides behind a ReLU
        maps = filled(maps)
        if name == stage:
            break
    assert maps.shape[2] == len(frames)
    for k, (first, last) in enumerate(frames):
        (gradient,) = torch.autograd.grad(maps[:, :, k].sum(), clip, retain_graph=True)
        seen = gradient.abs().sum(dim=(0, 1, 3, 4)).nonzero().flatten().tolist()
        assert seen == list(range(first, last + 1))
