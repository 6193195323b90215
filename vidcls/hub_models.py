"""``hf/NAME_OR_FOLDER`` -> what kind of model it is, and the settings that it is built from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.hub_files import CONFIG_FILE, file_of, read_object, weights_files

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
NONE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Family:
    """A kind of model, by ``model_type`` of its settings.

    Args:
        dimensions: 2 for an encoder of frames, 3 for one of clips.
        normalisation: mean and standard deviation of its processor by default, for a folder without one.
        inside: the part of the settings that describes the encoder, where they describe more.
    """

    dimensions: Literal[2, 3]
    normalisation: tuple[Triple, Triple]
    inside: str | None = None


FAMILIES = {
    "clip": Family(2, CLIP, "vision_config"),
    "clip_vision_model": Family(2, CLIP),
    "dinov2": Family(2, IMAGENET),
    "dinov2_with_registers": Family(2, IMAGENET),
    "dinov3_vit": Family(2, IMAGENET),
    "siglip": Family(2, HALF, "vision_config"),
    "siglip_vision_model": Family(2, HALF),
    "siglip2": Family(2, HALF, "vision_config"),
    "siglip2_vision_model": Family(2, HALF),
    "vit": Family(2, HALF),
    "timesformer": Family(3, IMAGENET),
    "videomae": Family(3, IMAGENET),
    "videoprism_vision_model": Family(3, NONE),
    "vivit": Family(3, HALF),
    "vjepa2": Family(3, IMAGENET),
}
"""What can be used, by ``model_type``."""

LEFT_OUT = ("dtype", "id2label", "label2id", "num_labels", "problem_type", "torch_dtype", "transformers_version")
MOST_LAYERS, MOST_OF_ANYTHING = 512, 2**20  # the largest models have 48 layers, and sizes of some thousands
MOST_POSITIONS = 2**25  # places times channels; V-JEPA 2 giant at 384 pixels has 26 million

_travelling: ContextVar[Mapping[str, Mapping[str, object]] | None] = ContextVar("hub_settings", default=None)


def is_travelling() -> bool:
    """Whether settings are those that a checkpoint brings along."""
    return _travelling.get() is not None


@contextmanager
def settings_that_travel(settings: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    """Within the block no file of a model is looked for: its settings are those that are given here, by name.

    A checkpoint brings them along, so that it needs no folder, and cannot name one to be read.
    """
    token = _travelling.set(settings)
    try:
        yield
    finally:
        _travelling.reset(token)


def settings_of(name: str) -> dict[str, Any]:
    """What describes the encoder of a model, in plain values: ``model_type``, ``architectures`` and its sizes.

    Args:
        name: ``hf/`` and a folder or a name on the Hub.

    Raises:
        ConfigurationError: there is none, or it is of a model that is no encoder of frames or clips.
        CheckpointError: it could not be downloaded, or a checkpoint lacks it.
    """
    given = _travelling.get()
    if given is not None:
        if name not in given:
            raise CheckpointError(
                f"a checkpoint has a backbone {name} without its settings: use the checkpoint as it was written"
            )
        config = dict(given[name])
    else:
        path = file_of(name, CONFIG_FILE)
        if path is None:
            raise ConfigurationError(
                f"backbone {name}: has no {CONFIG_FILE}, expected a model as save_pretrained writes it"
            )
        config = read_object(path)
    family = family_of(name, config)
    kind = str(config["model_type"])
    if family.inside is not None:
        inside = config.get(family.inside)
        if not isinstance(inside, Mapping):
            raise ConfigurationError(f"backbone {name}: its {CONFIG_FILE} lacks the section {family.inside}")
        config = {**inside, "architectures": config.get("architectures")}
        kind = f"{kind}_vision_model"
    settings = {
        key: value for key, value in config.items() if key not in LEFT_OUT and key[:1] != "_" and _is_plain(value)
    }
    named = config.get("architectures")
    settings |= {"model_type": kind, "architectures": list(map(str, named)) if isinstance(named, list | tuple) else []}
    _check_sizes(name, settings)
    return settings


def weights_of(name: str) -> list[Path]:
    """The files of a model's weights, safetensors.

    Raises:
        CheckpointError: there are none, or a checkpoint asks for them.
    """
    if is_travelling():
        raise CheckpointError(f"a checkpoint asks for the weights of {name}, expected weights of its own")
    return weights_files(name)


def family_of(name: str, config: Mapping[str, Any]) -> Family:
    """What kind of model the settings describe.

    Raises:
        ConfigurationError: one that is not known.
    """
    kind = config.get("model_type")
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise ConfigurationError(
            f"backbone {name}: is a model of the type {kind!r}, expected an encoder of frames or clips: "
            f"{', '.join(known_types())}"
        )
    return family


def known_types() -> list[str]:
    """The types of models that can be used, as their settings name them."""
    return sorted({each.removesuffix("_vision_model") for each in FAMILIES})


def is_video(name: str) -> bool:
    """Whether the model sees clips."""
    return family_of(name, settings_of(name)).dimensions == 3


def input_len_of(settings: Mapping[str, Any]) -> int | None:
    """Frames that a model of clips was made for, by :func:`settings_of` it."""
    kind = str(settings["model_type"])
    if FAMILIES[kind].dimensions == 2:
        return None
    defaults = {"vjepa2": 64, "timesformer": 8, "vivit": 32}
    return int(settings.get("num_frames") or settings.get("frames_per_clip") or defaults.get(kind, 16))


def size_of(settings: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width that a model was made for, by :func:`settings_of` it."""
    kind = str(settings["model_type"])
    if kind == "siglip2_vision_model":  # takes pictures of any shape with up to so many patches
        side_px = math.isqrt(int(settings.get("num_patches") or 256)) * int(settings.get("patch_size") or 16)
        return side_px, side_px
    defaults = {"vjepa2": 256, "videoprism_vision_model": 288}
    found = settings.get("image_size") or settings.get("crop_size") or defaults.get(kind, 224)
    return (int(found[0]), int(found[1])) if isinstance(found, list | tuple) else (int(found), int(found))


def extents_of(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Of a patch: (height, width), or (frames, height, width), by :func:`settings_of` a model."""
    tubelet = settings.get("tubelet_size", 2 if settings["model_type"] in ("videomae", "vjepa2") else 1)
    if isinstance(tubelet, list | tuple):
        return tuple(tubelet)
    side = settings.get("patch_size", 16)
    sides = tuple(side) if isinstance(side, list | tuple) else (side, side)
    return sides if input_len_of(settings) is None else (tubelet, *sides)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= 3 and all(isinstance(each, int) for each in value)
    return isinstance(value, str | int | float | None)


def _check_sizes(name: str, settings: Mapping[str, Any]) -> None:
    """Refuse sizes for which a model would take a machine's memory, before it is built."""
    for key, value in settings.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            limit = MOST_LAYERS if key.endswith("_layers") else MOST_OF_ANYTHING
            if isinstance(each, int) and not 0 <= each <= limit:
                raise ConfigurationError(f"backbone {name}: {key} is {each}, expected at most {limit:,}")
    try:
        num_frames, *extents = (1, *extents_of(settings))[-3:]
        height, width = size_of(settings)
        places = (height // extents[0]) * (width // extents[1]) * ((input_len_of(settings) or 1) // num_frames)
        num_values = places * int(settings.get("hidden_size") or 768)
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise ConfigurationError(f"backbone {name}: its sizes cannot be used ({error})") from error
    if num_values > MOST_POSITIONS:
        raise ConfigurationError(f"backbone {name}: is made for {places:,} places, more than any known model")
