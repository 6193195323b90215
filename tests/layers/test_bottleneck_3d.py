"""Blocks of 3D networks at the start of a training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.slowfast import SlowFastNet
from vidcls.layers.backbones.x3d import X3DNet


def slowfast(zero_init_residual: bool) -> Backbone:
    return SlowFastNet(26, width=16, zero_init_residual=zero_init_residual)


def x3d(zero_init_residual: bool) -> Backbone:
    return X3DNet("tiny", zero_init_residual=zero_init_residual)


@pytest.mark.parametrize("build", [slowfast, x3d])
def test_blocks_that_start_as_their_shortcuts(build: Callable[[bool], Backbone]) -> None:
    torch.manual_seed(0)
    plain = build(False)
    torch.manual_seed(0)
    network = build(True)
    before, changed = plain.state_dict(), network.state_dict()
    zeroed = {name for name, value in changed.items() if not torch.equal(value, before[name])}
    blocks = {name: block for name, block in network.named_modules() if hasattr(block, "residual_branch")}
    assert zeroed == {f"{name}.{block.residual_branch}.norm.weight" for name, block in blocks.items()}
    assert len(blocks) >= 8
    alone = [block for block in blocks.values() if isinstance(block.downsample, torch.nn.Identity)]
    assert alone
    for block in alone:
        maps = torch.randn(2, next(block.parameters()).shape[1], 4, 6, 6)
        assert torch.equal(block(maps), maps.relu())
        assert not torch.equal(plain.get_submodule(next(n for n, b in blocks.items() if b is block))(maps), maps.relu())
