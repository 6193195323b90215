"""The name of a backbone -> the input that its weights were made with: size, normalisation, number of frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch

from vidcls.errors import CheckpointError
from vidcls.hub_files import PREFIX as HUB_PREFIX
from vidcls.hub_models import input_len_of, settings_of, size_of
from vidcls.hub_processor import processor_of
from vidcls.layers.backbones import build_backbone
from vidcls.layers.backbones.efficientnet_lite import SCALES as EFFICIENTNET_LITE
from vidcls.layers.backbones.inflated import INPUT_LEN
from vidcls.layers.backbones.inflated import PREFIX as INFLATED_PREFIX
from vidcls.layers.backbones.own_class import own_class
from vidcls.layers.backbones.timm_zoo import PREFIX as TIMM_PREFIX
from vidcls.layers.backbones.timm_zoo import pretrained_input
from vidcls.layers.backbones.torchvision_video import torchvision_video_names
from vidcls.layers.backbones.torchvision_zoo import torchvision_names
from vidcls.layers.backbones_3d import build_backbone_3d, is_3d
from vidcls.layers.weight_init import is_checkpoint, is_file_name
from vidcls.weights_file import read_weights_file

Triple = tuple[float, float, float]
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)  # those of TransformSettings
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
LITE_MEAN, LITE_STD = 0.498, 0.502  # (x - 127) / 128


@dataclass(frozen=True)
class BackboneInput:
    """What a backbone was made to see.

    Args:
        size_px: (height, width).
        rgb_mean: of the red, green and blue channel on the scale 0 to 1, subtracted.
        rgb_std: divided by.
        num_frames: of a clip; None for a backbone of frames.
    """

    size_px: tuple[int, int]
    rgb_mean: Triple = IMAGENET_MEAN
    rgb_std: Triple = IMAGENET_STD
    num_frames: int | None = None


def input_of(name: str, *, weights: str | None = None) -> BackboneInput:
    """The input of a backbone with ready-made weights, or with those of a checkpoint of ours.

    Args:
        name: of a 2D or 3D backbone, as :func:`build_backbone` and :func:`build_backbone_3d` take it.
        weights: which; a checkpoint of vidcls says how its own input was made. By default, and for other files, what
            ready-made weights of that name were trained on; for a backbone without any, our own defaults.

    Raises:
        ValueError: an unknown name.
        ConfigurationError: an unknown name of weights, or a model of the Hub that is not known.
        CheckpointError: the checkpoint cannot be read.
    """
    if weights is not None and is_checkpoint(weights):
        return _of_checkpoint(weights)
    if name in EFFICIENTNET_LITE:
        side_px = EFFICIENTNET_LITE[name].side_px
        return BackboneInput((side_px, side_px), (LITE_MEAN,) * 3, (LITE_STD,) * 3)
    if name.startswith(HUB_PREFIX):
        settings, processor = settings_of(name), processor_of(name)
        size_px = processor.size_px or size_of(settings)
        return BackboneInput(size_px, processor.mean, processor.std, input_len_of(settings))
    if name.startswith(TIMM_PREFIX):
        return BackboneInput(*pretrained_input(name.removeprefix(TIMM_PREFIX)))
    named = None if weights is None or is_file_name(weights) else weights
    if own_class(name) is None and name in (*torchvision_names(), *torchvision_video_names()):
        return _of_torchvision(name, named, num_frames=INPUT_LEN if is_3d(name) else None)
    if name.startswith(INFLATED_PREFIX) and name.removeprefix(INFLATED_PREFIX) in torchvision_names():
        return _of_torchvision(name.removeprefix(INFLATED_PREFIX), named, num_frames=INPUT_LEN)
    with torch.device("meta"):
        backbone = build_backbone_3d(name) if is_3d(name) else build_backbone(name)
    return BackboneInput(backbone.input_px, num_frames=backbone.input_len)


def ready_made_input(name: str, weights: str | None) -> BackboneInput | None:
    """The input that these weights were made with; None where that is not known: of a file, or without weights.

    Args:
        name: of a 2D or 3D backbone.
        weights: a name of ready-made weights, or a file.

    Raises:
        ConfigurationError: see :func:`input_of`.
        CheckpointError: see :func:`input_of`.
    """
    if weights is None or own_class(name) is not None or (is_file_name(weights) and not is_checkpoint(weights)):
        return None
    return input_of(name, weights=weights)


def _of_torchvision(name: str, weights: str | None, *, num_frames: int | None) -> BackboneInput:
    from torchvision import models

    members = models.get_model_weights(name).__members__
    found = members.get(weights or "DEFAULT")
    if found is None:
        raise ValueError(f"weights={weights!r}: {name} has {', '.join(members) or 'none'}, or pass the path of a file")
    transforms = found.transforms()
    return BackboneInput(_pair(transforms.crop_size), _triple(transforms.mean), _triple(transforms.std), num_frames)


def _of_checkpoint(path: str) -> BackboneInput:
    content = read_weights_file(path)
    facts = content.get("vidcls") if isinstance(content, Mapping) else None
    settings = facts.get("input") if isinstance(facts, Mapping) else None
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"{path}: does not say how its input is made: use a checkpoint of vidcls fit")
    try:
        transform = cast(Mapping[str, Any], settings["transform"])
        size, mean, std = (_pair(transform["crop_px"]), _triple(transform["rgb_mean"]), _triple(transform["rgb_std"]))
        clip_len = int(cast(int, settings["clip_len"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: what it says of its input cannot be used ({error!r})") from error
    return BackboneInput(size, mean, std, clip_len)


def _pair(found: Any) -> tuple[int, int]:
    sizes = [found] if isinstance(found, int) else list(found)
    return int(sizes[0]), int(sizes[-1])


def _triple(found: Any) -> Triple:
    red, green, blue = (float(value) for value in found)
    return red, green, blue
