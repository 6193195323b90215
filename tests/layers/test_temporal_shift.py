"""Channels that move between neighbouring frames: which, where to, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models

from vidcls.layers import build_backbone
from vidcls.layers.temporal_shift import ShiftedConv2d, insert_shifts, shift_in_time
from vidcls.models import TSM, SingleFrame, VideoClassifier
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=4)


# Two clips of three frames with four channels; channel c of frame t of clip b was 100 b + 10 t + c.
BOTH_WAYS = [[120, 0, 112, 113], [130, 111, 122, 123], [0, 121, 132, 133]]  # channel 0: the next; 1: the one before
BOTH_WAYS += [[220, 0, 212, 213], [230, 211, 222, 223], [0, 221, 232, 233]]
CAUSAL = [[0, 111, 112, 113], [110, 121, 122, 123], [120, 131, 132, 133]]  # channel 0: the one before
CAUSAL += [[0, 211, 212, 213], [210, 221, 222, 223], [220, 231, 232, 233]]


@pytest.mark.parametrize(("causal", "expected"), [(False, BOTH_WAYS), (True, CAUSAL)])
def test_a_channel_moves_by_one_frame_and_never_beyond_its_clip(causal: bool, expected: list[list[int]]) -> None:
    b, t, c = torch.meshgrid(torch.arange(1, 3), torch.arange(1, 4), torch.arange(4), indexing="ij")
    frames = (100 * b + 10 * t + c).float().flatten(0, 1)[:, :, None, None]
    assert shift_in_time(frames, 3, 1, causal=causal)[:, :, 0, 0].tolist() == expected
    assert shift_in_time(frames, 3, 0, causal=causal) is frames


@pytest.mark.parametrize(
    ("name", "num_shifts", "some"),
    [
        ("resnet50", 16, ["stages.layer1.0.conv1", "stages.layer4.2.conv1"]),  # 3 + 4 + 6 + 3 blocks
        ("resnet101", 18, ["stages.layer3.0.conv1", "stages.layer3.22.conv1"]),  # every second: 2 + 2 + 12 + 2
        ("resnet18", 8, ["stages.layer1.1.conv1"]),
        ("resnet20", 9, ["stages.group3.2.convolutions.0"]),
        ("efficientnet_lite0", 9, ["stages.block2.1.expand.conv", "stages.block6.3.expand.conv"]),  # with a shortcut
        ("mobilenet_v2", 10, ["stages.block4.0.conv.0.0"]),
        ("small", 3, ["stages.block2.0", "stages.block4.0"]),
    ],
)
def test_the_residual_branches_are_shifted_and_nothing_else(name: str, num_shifts: int, some: list[str]) -> None:
    with torch.device("meta"):
        plain, backbone = build_backbone(name), build_backbone(name)
        assert insert_shifts(backbone, name, 8, share=0.125, causal=False) == num_shifts
    shifted = {n: m for n, m in backbone.named_modules() if isinstance(m, ShiftedConv2d)}
    assert len(shifted) == num_shifts
    assert {*some} <= {*shifted}
    assert all(m.num_shifted == m.in_channels // 8 for m in shifted.values())
    sizes = {n: tensor.shape for n, tensor in plain.state_dict().items()}
    assert {n: tensor.shape for n, tensor in backbone.state_dict().items()} == sizes  # weights keep their names
    assert backbone.shapes() == plain.shapes()


@pytest.mark.parametrize("name", ["vgg16", "plain20", "vit_b_16"])
def test_a_network_without_residual_blocks_is_refused_in_one_line(name: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match="no residual blocks") as caught:
        TSM(class_names=CLASSES, clip=CLIP, backbone=name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backbone", ["small", "resnet20", "efficientnet_lite0"])
def test_without_a_shift_it_is_the_image_network_on_each_frame(backbone: str) -> None:
    torch.manual_seed(0)
    flat = SingleFrame(class_names=CLASSES, clip=CLIP, backbone=backbone).eval()
    with torch.no_grad():
        for parameter in flat.parameters():
            parameter.mul_(2 if parameter.ndim > 1 else 1)  # else the last maps of a deep network are all but zero
    clips = torch.randn(2, 3, 8, 32, 32)
    for share, is_same in ((0.0, True), (0.125, False)):
        model = TSM(class_names=CLASSES, clip=CLIP, backbone=backbone, shift_share=share).eval()
        model.load_state_dict(flat.state_dict())
        assert torch.equal(model(clips), flat(clips)) is is_same


def features(model: VideoClassifier, clip: torch.Tensor) -> torch.Tensor:
    return model.backbones["backbone"](clip[0].transpose(0, 1))  # (T, D)


def test_causal_frames_do_not_wait_for_those_that_come() -> None:
    torch.manual_seed(0)
    clip = torch.randn(1, 3, 4, 24, 24)
    later = clip.clone()
    later[:, :, 2:] += 1
    for causal in (True, False):
        model = TSM(class_names=CLASSES, clip=CLIP, backbone="small", causal=causal).eval()
        changed = (features(model, clip) - features(model, later)).abs().amax(dim=1) > 0
        assert changed.tolist() == [not causal, not causal, True, True]


def test_weights_of_the_image_network_load_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torchvision_models.resnet18()
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    model = TSM(class_names=CLASSES, clip=CLIP, backbone="resnet18", weights=str(tmp_path / "resnet18.pth"))
    conv = model.get_submodule("backbone.stages.layer2.0.conv1")
    assert isinstance(conv, ShiftedConv2d)
    assert torch.equal(conv.weight, network.layer2[0].conv1.weight)
    parameters = dict(model.named_parameters())
    assert isinstance(conv.weight, nn.Parameter)
    assert parameters["backbone.stages.layer2.0.conv1.weight"] is conv.weight  # which is what is trained


@pytest.mark.parametrize(("causal", "share"), [(False, 0.6), (True, 1.1), (False, -0.1)])
def test_a_share_that_cannot_be_is_refused(causal: bool, share: float) -> None:
    with pytest.raises(ValueError, match="shift_share must be from 0 to"):
        TSM(class_names=CLASSES, clip=CLIP, backbone="small", causal=causal, shift_share=share)
