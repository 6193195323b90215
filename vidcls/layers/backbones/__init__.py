"""Backbones by name: frames -> feature vectors, by named stages."""

from __future__ import annotations

from collections.abc import Callable

from vidcls.hub_files import PREFIX as HUB_PREFIX
from vidcls.layers.backbones.alexnet_2012 import AlexNet2012
from vidcls.layers.backbones.base import READ_OUT, Backbone
from vidcls.layers.backbones.cifar import CifarNet
from vidcls.layers.backbones.cnn_m_2048 import CnnM2048
from vidcls.layers.backbones.efficientnet_lite import SCALES as EFFICIENTNET_LITE
from vidcls.layers.backbones.efficientnet_lite import EfficientNetLite, EfficientNetLite0
from vidcls.layers.backbones.karpathy import Karpathy
from vidcls.layers.backbones.lenet5 import LeNet5
from vidcls.layers.backbones.own_class import build_own, own_class
from vidcls.layers.backbones.small import SmallNet
from vidcls.layers.backbones.timm_zoo import PREFIX as TIMM_PREFIX
from vidcls.layers.backbones.timm_zoo import TimmBackbone
from vidcls.layers.backbones.torchvision_zoo import TorchvisionBackbone, torchvision_names
from vidcls.layers.backbones.transformers_zoo import TransformersBackbone
from vidcls.layers.settings import LayerSettings
from vidcls.layers.weight_init import check_is_file, is_checkpoint, is_file_name, load_backbone
from vidcls.spelling import did_you_mean

__all__ = [
    "OWN",
    "READ_OUT",
    "AlexNet2012",
    "Backbone",
    "CifarNet",
    "CnnM2048",
    "EfficientNetLite",
    "EfficientNetLite0",
    "Karpathy",
    "LeNet5",
    "SmallNet",
    "TimmBackbone",
    "TorchvisionBackbone",
    "TransformersBackbone",
    "build_backbone",
]

Builder = Callable[[int, LayerSettings | None, int], Backbone]


def _cifar(depth: int, *, residual: bool) -> Builder:
    return lambda channels, layers, towers: CifarNet(
        depth, residual=residual, in_channels=channels, layers=layers, num_towers=towers
    )


OWN: dict[str, Builder] = {
    "small": lambda channels, layers, towers: SmallNet(channels, layers=layers, num_towers=towers),
    "lenet5": lambda channels, layers, towers: LeNet5(channels, layers=layers, num_towers=towers),
    "alexnet_2012": lambda channels, layers, towers: AlexNet2012(channels, layers=layers, num_towers=towers),
    "plain20": _cifar(20, residual=False),
    "plain56": _cifar(56, residual=False),
    "resnet20": _cifar(20, residual=True),
    "resnet56": _cifar(56, residual=True),
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
        name: one of ours such as ``small``, ``efficientnet_lite0``, an image network of torchvision such as
            ``resnet18``, ``timm/`` and the name of a network of timm, ``hf/`` and a folder or name of an encoder of
            transformers such as ``hf/facebook/dinov2-small``, or a class of your own such as
            ``mypackage.MyBackbone`` or ``mypackage.MyBackbone(width=32)``, a :class:`Backbone`.
        in_channels: C of the input.
        weights: a name such as ``DEFAULT`` for ready-made ones, the path of a file with a state dictionary of that
            network, a checkpoint of vidcls (``.ckpt``) of a model with that backbone, or none for random weights.
        layers: normalisation, activation and initial weights of a backbone of ours; the others have their own.
        num_towers: see :class:`Backbone`.

    Raises:
        ConfigurationError: a class of your own that a file names, and that nobody has allowed.
        ValueError: an unknown name, or an argument that this backbone has no use for.
        CheckpointError: the weights cannot be had, or are of another network.
    """
    if (own := own_class(name)) is not None:
        backbone = build_own(own, in_channels, weights=weights, layers=layers, num_towers=num_towers)
        if backbone.input_len is not None:
            raise ValueError(
                f"backbone {own.class_path}: is a 3D network (it has input_len): use a model such as Conv3D"
            )
        return backbone
    backbone = _build(name, in_channels, weights=weights, layers=layers, num_towers=num_towers)
    if weights is not None and (is_checkpoint(weights) or name in OWN or _is_file_of_hub(name, weights)):
        load_backbone(backbone, weights)
    return backbone


def _build(
    name: str, in_channels: int, *, weights: str | None, layers: LayerSettings | None, num_towers: int
) -> Backbone:
    if name in OWN:
        check_is_file(name, weights)
        return OWN[name](in_channels, layers, num_towers)
    known = (*EFFICIENTNET_LITE, *torchvision_names())
    if name not in known and not name.startswith((TIMM_PREFIX, HUB_PREFIX)):
        hint = did_you_mean(name, (*OWN, *known), otherwise="there is none of a like name;")
        raise ValueError(
            f"unknown backbone {name!r}: {hint} vidcls backbones lists them, and your own is named as module.Class"
        )
    if layers not in (None, LayerSettings()):
        raise ValueError(f"layers: backbone {name!r} has layers of its own; remove it or use one of {', '.join(OWN)}")
    if name in EFFICIENTNET_LITE:
        return EfficientNetLite(name, in_channels, weights=weights, num_towers=num_towers)
    if name.startswith(HUB_PREFIX):
        return _of_frames(TransformersBackbone(name, in_channels, weights=weights, num_towers=num_towers), name)
    if name.startswith(TIMM_PREFIX):
        return TimmBackbone(name.removeprefix(TIMM_PREFIX), in_channels, weights=weights, num_towers=num_towers)
    return TorchvisionBackbone(name, in_channels, weights=weights, num_towers=num_towers)


def _is_file_of_hub(name: str, weights: str) -> bool:
    return name.startswith(HUB_PREFIX) and is_file_name(weights)


def _of_frames(backbone: Backbone, name: str) -> Backbone:
    if backbone.input_len is not None:
        raise ValueError(f"backbone {name}: is a 3D network, an encoder of clips: use a model such as Conv3D")
    return backbone
