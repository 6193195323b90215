"""A picture -> the whole at half the size and the centre at full size, each seen by a network of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.backbones import Backbone, build_backbone
from vidcls.layers.settings import LayerSettings
from vidcls.layers.stems import inflate_stem
from vidcls.layers.weight_init import is_file_name, load_stem


class FoveaContext(nn.Module):
    """Two towers, context and fovea, whose last maps are joined before the read-out.

    Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3.2: a
    frame of 178x178 becomes a context of 89x89 (the whole, halved) and a fovea of 89x89 (the centre). The towers have
    weights of their own.

    Args:
        build: makes one tower; called with ``num_towers``, twice what ``num_towers`` below is.
        num_towers: N of the pictures whose maps the read-out takes together.
    """

    def __init__(self, build: Callable[[int], Backbone], *, num_towers: int = 1) -> None:
        super().__init__()
        self.context, self.fovea = build(2 * num_towers), build(2 * num_towers)
        self.read_out = self.context.read_out
        self.num_features = self.context.num_features
        self.context.read_out, self.fovea.read_out = nn.Identity(), nn.Identity()

    @property
    def num_map_channels(self) -> int:
        """Channels of the joined maps."""
        return self.context.num_map_channels + self.fovea.num_map_channels

    def forward(self, x: Tensor) -> Tensor:
        """Pictures ``(B, C, H, W)`` or clips ``(B, C, T, H, W)`` -> features ``(B, D)``."""
        return self.read_out(self.maps(x))

    def maps(self, x: Tensor) -> Tensor:
        """The last maps of context and fovea, joined along the channels."""
        return torch.cat([self.context.maps(halved(x)), self.fovea.maps(centre(x))], dim=1)


def halved(x: Tensor) -> Tensor:
    """Pictures at half the height and width, by means of 2x2: ``(..., H, W)`` -> ``(..., H // 2, W // 2)``."""
    return F.avg_pool2d(x.flatten(0, -4), 2).unflatten(0, x.shape[:-3]) if x.ndim > 4 else F.avg_pool2d(x, 2)


def centre(x: Tensor) -> Tensor:
    """The centre of pictures: ``(..., H, W)`` -> ``(..., H // 2, W // 2)``."""
    H, W = x.shape[-2:]
    top, left = (H - H // 2) // 2, (W - W // 2) // 2
    return x[..., top : top + H // 2, left : left + W // 2]


TOWER_OF = {"karpathy": "karpathy_tower"}
"""Networks that have another form for pictures of half the size."""


def frame_network(
    name: str,
    *,
    weights: str | None = None,
    layers: LayerSettings | None = None,
    num_towers: int = 1,
    stem_len: int = 1,
    multi_resolution: bool = False,
) -> Backbone | FoveaContext:
    """A 2D backbone, or two as fovea and context, whose first layer sees ``stem_len`` frames at once.

    Args:
        name: see :func:`build_backbone`.
        weights: see :func:`build_backbone`; those of the first layer are repeated over the frames of the stem, or
            taken as they are from a file of a network whose stem sees as many.
        layers: see :func:`build_backbone`.
        num_towers: see :class:`Backbone`.
        stem_len: frames whose channels come one after another.
        multi_resolution: whether there are two towers for each picture.
    """

    def build(num_towers: int, tower: str = name) -> Backbone:
        backbone = build_backbone(tower, weights=weights, layers=layers, num_towers=num_towers)
        if stem_len > 1:
            inflate_stem(backbone, stem_len, keep_weights=weights is not None)
            if weights is not None and is_file_name(weights):
                load_stem(backbone, weights)
        return backbone

    if multi_resolution:
        return FoveaContext(partial(build, tower=TOWER_OF.get(name, name)), num_towers=num_towers)
    return build(num_towers)
