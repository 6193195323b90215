"""Inflated 2D networks: a still clip gives what its frame gives, and a moving one does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from vidcls.layers import build_backbone, build_backbone_3d


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(models.resnet18(weights=None).state_dict(), file)
    return str(file)


@pytest.mark.parametrize("num_frames", [1, 4, 9])
def test_a_still_clip_gives_what_its_frame_gives(weights: str, num_frames: int) -> None:
    flat = build_backbone("resnet18", weights=weights).eval()
    solid = build_backbone_3d("i3d_resnet18", weights=weights).eval()
    frame = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    still = frame[:, :, None].expand(-1, -1, num_frames, -1, -1)
    with torch.no_grad():
        assert torch.allclose(solid(still), flat(frame), rtol=1e-4, atol=1e-4)


def test_the_order_of_frames_matters(weights: str) -> None:
    solid = build_backbone_3d("i3d_resnet18", weights=weights)
    with torch.no_grad():
        for parameter in solid.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        clip = torch.randn(1, 3, 4, 64, 64)
        assert not torch.allclose(solid.eval()(clip), solid(clip.flip(2)), atol=1e-3)


def test_kernels_are_repeated_over_time_and_divided_by_their_extent(weights: str) -> None:
    solid = build_backbone_3d("i3d_resnet18", weights=weights)
    kernels = torch.load(weights, weights_only=True)["conv1.weight"]
    assert solid.stem.weight.shape == (64, 3, 7, 7, 7)
    assert solid.stem.stride == (2, 2, 2)
    for t in range(7):
        assert torch.allclose(solid.stem.weight[:, :, t], kernels / 7)


def test_the_first_pool_leaves_time_alone() -> None:
    with torch.device("meta"):
        solid = build_backbone_3d("i3d_resnet18")
    (pool,) = (m for m in solid.modules() if isinstance(m, nn.MaxPool3d))
    assert (pool.kernel_size, pool.stride, pool.padding) == ((1, 3, 3), (1, 2, 2), (0, 1, 1))


def test_nothing_two_dimensional_is_left() -> None:
    with torch.device("meta"):
        solid = build_backbone_3d("i3d_resnet50", 2)
    assert not any(isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.MaxPool2d) for m in solid.modules())
    assert solid.stem.in_channels == 2
    # 16 frames: halved by the first convolution and by the first layers of the second to fourth group
    assert solid.shapes((2, 16, 64, 64))["layer4"] == (2048, 1, 2, 2)
