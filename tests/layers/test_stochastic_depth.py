"""Branches of residual blocks that are dropped while training: how often, of which blocks, and nothing in a test."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from vidcls.layers.backbones import build_backbone
from vidcls.layers.backbones.movinet import MoViNetNet
from vidcls.layers.backbones.slowfast import SlowFastNet
from vidcls.layers.backbones.x3d import X3DNet
from vidcls.layers.backbones_3d import build_backbone_3d
from vidcls.layers.stochastic_depth import set_drop_path
from vidcls.models import SingleFrame
from vidcls.training.transfer import TransferSettings
from vidcls.types import ClipSettings

NUM_BLOCKS = {"resnet20": 9, "resnet18": 8, "regnet_y_400mf": 16, "convnext_tiny": 18, "efficientnet_lite0": 16}


class Block(nn.Module):
    """Adds one to what comes in; the branch alone is 1."""

    residual_branch = "branch"

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Conv2d(1, 1, 1)
        nn.init.zeros_(self.branch.weight)
        nn.init.ones_(self.branch.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.branch(x)


def test_each_sample_drops_block_l_of_L_with_chance_l_over_L_and_a_kept_branch_is_scaled() -> None:
    network = nn.Sequential(Block(), Block(), Block(), Block())
    names = list(network.state_dict())
    assert set_drop_path(network, 0.8) == 4
    assert list(network.state_dict()) == names
    torch.manual_seed(0)
    x = torch.zeros(4000, 1, 1, 1)
    for number, block in enumerate(network, start=1):
        chance = 0.8 * number / 4
        out = block(x).flatten().detach()
        kept = out != 0
        assert torch.allclose(out[kept], torch.tensor(1 / (1 - chance)))
        assert float(kept.float().mean()) == pytest.approx(1 - chance, abs=0.03)
    copied = copy.deepcopy(network).eval()  # as an average of weights has it
    assert torch.equal(copied(x), torch.full_like(x, 4.0))
    assert not torch.equal(network(x), copied(x))


@pytest.mark.parametrize(
    ("build", "num_blocks"),
    [(partial(SlowFastNet, 50), 2 * 16), (partial(X3DNet, "m"), 26), (partial(MoViNetNet, "a0"), 15)],
)
def test_the_blocks_of_both_pathways_and_of_separate_channels_are_found(
    build: Callable[[], nn.Module], num_blocks: int
) -> None:
    with torch.device("meta"):
        assert set_drop_path(build(), 0.1) == num_blocks


@pytest.mark.parametrize("name", NUM_BLOCKS)
def test_a_residual_network_has_its_blocks_and_is_as_before_in_a_test(name: str) -> None:
    torch.manual_seed(0)
    network = build_backbone(name).eval()
    frames = torch.randn(2, 3, 64, 64)
    before = network(frames)
    names = list(network.state_dict())
    assert set_drop_path(network, 0.5) == NUM_BLOCKS[name]
    assert list(network.state_dict()) == names
    assert torch.equal(network(frames), before)
    stages = network.train()
    for module in stages.modules():  # what changes now is what is dropped
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    found = {tuple(network(frames).flatten()[:4].tolist()) for _ in range(4)}
    assert len(found) > 1


def test_3d_networks_and_timm_have_their_blocks() -> None:
    assert set_drop_path(build_backbone_3d("r3d_18"), 0.2) == 8
    assert set_drop_path(build_backbone_3d("i3d_resnet18"), 0.2) == 8
    pytest.importorskip("timm", reason="needs the extra timm")
    assert set_drop_path(build_backbone("timm/vit_tiny_patch16_224"), 0.2) == 12


def test_a_model_without_residual_blocks_is_refused_and_one_with_them_trains() -> None:
    def model(backbone: str) -> SingleFrame:
        transfer = TransferSettings(drop_path=0.2)
        return SingleFrame(class_names=["a", "b"], clip=ClipSettings(), backbone=backbone, transfer=transfer)

    with pytest.raises(ValueError, match=r"transfer\.drop_path: .*no residual blocks.*such as resnet18"):
        model("small")
    assert model("resnet20")(torch.randn(2, 3, 1, 32, 32)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"drop_path is a chance in 0 to 1"):
        TransferSettings(drop_path=1.0)
