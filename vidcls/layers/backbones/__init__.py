"""2D backbones by name: frames -> feature vectors."""

from __future__ import annotations

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.cnn_m_2048 import CnnM2048
from vidcls.layers.backbones.small import SmallNet
from vidcls.layers.backbones.torchvision_zoo import TorchvisionBackbone, torchvision_names

OWN_NAMES = ("small", "cnn_m_2048", "cnn_m_2048_temporal")

__all__ = ["OWN_NAMES", "Backbone", "CnnM2048", "SmallNet", "TorchvisionBackbone", "build_backbone"]


def build_backbone(name: str, in_channels: int = 3, *, weights: str | None = None) -> Backbone:
    """The backbone called ``name`` for inputs of ``in_channels``.

    Args:
        name: ``small``, ``cnn_m_2048``, ``cnn_m_2048_temporal`` (without the second normalisation), or a ResNet or VGG
            of torchvision such as ``resnet18``.
        in_channels: C of the input.
        weights: see :class:`TorchvisionBackbone`; our own backbones have none to download and take none.
    """
    if name in OWN_NAMES:
        if weights is not None:
            raise ValueError(f"backbone {name!r} has no ready-made weights, got weights={weights!r}: leave it out")
        if name == "small":
            return SmallNet(in_channels)
        return CnnM2048(in_channels, second_norm=name == "cnn_m_2048")
    known = torchvision_names()
    if name not in known:
        raise ValueError(f"unknown backbone {name!r}: use one of {', '.join((*OWN_NAMES, *known))}")
    return TorchvisionBackbone(name, in_channels, weights=weights)
