"""3D backbones by name: clips -> feature vectors, by named stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from vidcls.hub_files import PREFIX as HUB_PREFIX
from vidcls.hub_models import is_video
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.c3d import C3D
from vidcls.layers.backbones.inflated import PREFIX, InflatedResNet
from vidcls.layers.backbones.karpathy import frames_for_one
from vidcls.layers.backbones.own_class import build_own, own_class
from vidcls.layers.backbones.small_3d import Small3D
from vidcls.layers.backbones.torchvision_video import TorchvisionVideoBackbone, torchvision_video_names
from vidcls.layers.backbones.torchvision_zoo import torchvision_names
from vidcls.layers.backbones.transformers_zoo import TransformersBackbone
from vidcls.layers.settings import LayerSettings
from vidcls.layers.weight_init import check_is_file, is_checkpoint, is_file_name, load_backbone
from vidcls.spelling import did_you_mean

OWN_3D: dict[str, Callable[[int, LayerSettings | None], Backbone]] = {
    "small_3d": lambda channels, layers: Small3D(channels, layers=layers),
    "c3d": lambda channels, layers: C3D(channels, layers=layers),
}
"""3D backbones that we define: (in_channels, layers) -> network."""
INFLATED = ("resnet", "resnext", "wide_resnet")


def is_3d(name: str) -> bool:
    """Whether a backbone of that name takes clips ``(B, C, T, H, W)``."""
    if (own := own_class(name)) is not None:
        with torch.device("meta"):
            return build_own(own, 3, weights=None, layers=None).input_len is not None
    if name.startswith(HUB_PREFIX):
        return is_video(name)
    return name in OWN_3D or name.startswith(PREFIX) or name in torchvision_video_names()


def build_backbone_3d(
    name: str, in_channels: int = 3, *, weights: str | None = None, layers: LayerSettings | None = None
) -> Backbone:
    """The 3D backbone called ``name`` for clips of ``in_channels``.

    Args:
        name: ``small_3d``, ``c3d``, ``i3d_`` and the name of a 2D ResNet such as ``i3d_resnet50``, or a video network
            of torchvision such as ``r2plus1d_18``, ``hf/`` and a folder or name of an encoder of clips of transformers,
            such as ``hf/MCG-NJU/videomae-base``, or a class of your own, see :func:`build_backbone`.
        in_channels: C of the input.
        weights: a name of torchvision's weights such as ``DEFAULT``, a file with a state dictionary of that network,
            or none; those of an inflated network are of its 2D network. A checkpoint of vidcls (``.ckpt``) is of a
            model with that backbone. Our own have none to download.
        layers: normalisation, activation and initial weights of a backbone of ours.

    Raises:
        ValueError: an unknown name, or an argument that this backbone has no use for.
        CheckpointError: the weights cannot be had, or are of another network.
    """
    if (own := own_class(name)) is not None:
        backbone = build_own(own, in_channels, weights=weights, layers=layers)
        if backbone.input_len is None:
            raise ValueError(f"backbone {own.class_path}: is a 2D network: a 3D one passes input_len to Backbone")
        return backbone
    backbone = _build(name, in_channels, weights=weights, layers=layers)
    is_of_hub = name.startswith(HUB_PREFIX)
    if weights is not None and (is_checkpoint(weights) or name in OWN_3D or (is_of_hub and is_file_name(weights))):
        load_backbone(backbone, weights)
    return backbone


def _build(name: str, in_channels: int, *, weights: str | None, layers: LayerSettings | None) -> Backbone:
    if name in OWN_3D:
        check_is_file(name, weights)
        return OWN_3D[name](in_channels, layers)
    if layers not in (None, LayerSettings()):
        raise ValueError(f"layers: backbone {name!r} has layers of its own; remove it or use {', '.join(OWN_3D)}")
    if name.startswith(HUB_PREFIX):
        backbone = TransformersBackbone(name, in_channels, weights=weights)
        if backbone.input_len is None:
            raise ValueError(f"backbone {name}: is a 2D network, an encoder of frames: use a model such as SingleFrame")
        return backbone
    flat = name.removeprefix(PREFIX)
    if name.startswith(PREFIX) and flat.startswith(INFLATED) and flat in torchvision_names():
        return InflatedResNet(flat, in_channels, weights=weights)
    known = torchvision_video_names()
    if name not in known:
        raise ValueError(
            f"unknown 3D backbone {name!r}: {did_you_mean(name, (*OWN_3D, *known), otherwise='use one of these:')} "
            f"{', '.join((*OWN_3D, *known))}, or {PREFIX}resnet50; your own is named as module.Class"
        )
    return TorchvisionVideoBackbone(name, in_channels, weights=weights)


def frames_seen(backbone: Backbone, num_frames: int) -> int:
    """Frames, of a clip of ``num_frames``, that one unit of a 3D backbone's last maps sees at most.

    Worked out from the extents and strides in time along the path with the longest reach.
    """
    if getattr(backbone, "sees_all_frames", False):
        return num_frames
    path = _path(backbone.stages)
    return min(num_frames, frames_for_one([extent for extent, _ in path], [stride for _, stride in path]))


def _path(module: nn.Module) -> list[tuple[int, int]]:
    """(extent, stride) of the layers in time, in order; of parallel branches the one that reaches farthest."""
    if isinstance(module, nn.Conv3d | nn.MaxPool3d | nn.AvgPool3d):
        return [(_first(module.kernel_size), _first(module.stride))]
    branches = [child for name, child in module.named_children() if name.startswith("branch")]
    if branches:
        return max((_path(branch) for branch in branches), key=lambda path: sum(extent - 1 for extent, _ in path))
    children = [child for name, child in module.named_children() if name != "downsample"]  # a shortcut of extent 1
    return [layer for child in children for layer in _path(child)]


def _first(value: int | Sequence[int]) -> int:
    return value if isinstance(value, int) else value[0]
