"""Backbones by name: frames -> feature vectors, by named stages."""

from __future__ import annotations

from collections.abc import Callable

from vidcls.layers.backbones.base import READ_OUT, Backbone
from vidcls.layers.backbones.cnn_m_2048 import CnnM2048
from vidcls.layers.backbones.karpathy import Karpathy
from vidcls.layers.backbones.small import SmallNet
from vidcls.layers.backbones.torchvision_zoo import TorchvisionBackbone, torchvision_names
from vidcls.layers.settings import LayerSettings

__all__ = ["OWN", "READ_OUT", "Backbone", "CnnM2048", "Karpathy", "SmallNet", "TorchvisionBackbone", "build_backbone"]

OWN: dict[str, Callable[[int, LayerSettings | None, int], Backbone]] = {
    "small": lambda channels, layers, towers: SmallNet(channels, layers=layers, num_towers=towers),
    "cnn_m_2048": lambda channels, layers, towers: CnnM2048(channels, layers=layers, num_towers=towers),
    "cnn_m_2048_temporal": lambda channels, layers, towers: CnnM2048(
        channels, layers=layers, num_towers=towers, second_norm=False
    ),
    "karpathy": lambda channels, layers, towers: Karpathy(channels, layers=layers, num_towers=towers),
    "karpathy_tower": lambda channels, layers, towers: Karpathy(
        channels, layers=layers, num_towers=towers, last_pool=False
    ),
}
"""Backbones that we define: (in_channels, layers, num_towers) -> network."""


def build_backbone(
    name: str,
    in_channels: int = 3,
    *,
    weights: str | None = None,
    layers: LayerSettings | None = None,
    num_towers: int = 1,
) -> Backbone:
    """The 2D backbone called ``name`` for inputs of ``in_channels``.

    Args:
        name: one of ours such as ``small``, or an image network of torchvision such as ``resnet18``.
        in_channels: C of the input.
        weights: see :class:`TorchvisionBackbone`; our own backbones have none to download and take none.
        layers: normalisation, activation and first weights of a backbone of ours; the others have their own.
        num_towers: see :class:`Backbone`.

    Raises:
        ValueError: an unknown name, or an argument that this backbone has no use for.
    """
    if name in OWN:
        if weights is not None:
            raise ValueError(f"backbone {name!r} has no ready-made weights, got weights={weights!r}: leave it out")
        return OWN[name](in_channels, layers, num_towers)
    known = torchvision_names()
    if name not in known:
        raise ValueError(f"unknown backbone {name!r}: use one of {', '.join((*OWN, *known))}")
    if layers not in (None, LayerSettings()):
        raise ValueError(
            f"layers: backbone {name!r} has layers of its own; leave it out or use one of {', '.join(OWN)}"
        )
    return TorchvisionBackbone(name, in_channels, weights=weights, num_towers=num_towers)
