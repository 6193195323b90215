"""``hf/NAME_OR_FOLDER`` -> what the model's own processor makes of frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidcls.errors import ConfigurationError
from vidcls.hub_files import file_of, read_object
from vidcls.hub_models import NONE, Family, Triple, family_of, is_travelling, settings_of

PROCESSOR_FILES = ("video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Processor:
    """What a model's own processor makes of frames.

    Args:
        size_px: (height, width) that the model sees; None where it does not say.
        mean: subtracted from each channel on the scale 0 to 1.
        std: divided by.
    """

    size_px: tuple[int, int] | None
    mean: Triple
    std: Triple


def processor_of(name: str) -> Processor:
    """What the model's own processor does; the defaults of its family where the folder has none."""
    family = family_of(name, settings_of(name))
    if not is_travelling():
        path = file_of(name, *PROCESSOR_FILES)
        if path is not None:
            return _processor(name, read_object(path), family)
    return Processor(None, *family.normalisation)


def _processor(name: str, content: dict[str, Any], family: Family) -> Processor:
    """Its steps are a scale, an offset, a mean and a deviation, which are one mean and one deviation."""
    for part in ("video_processor", "image_processor"):
        if isinstance(content.get(part), dict):
            content = content[part]
    try:
        mean, std = _triple(content.get("image_mean")), _triple(content.get("image_std"))
        if not content.get("do_normalize", True):
            mean, std = NONE
        default_mean, default_std = family.normalisation
        mean, std = mean or default_mean, std or default_std
        scale = 255 * float(content.get("rescale_factor", 1 / 255)) if content.get("do_rescale", True) else 255.0
        offset = 1.0 if content.get("offset", False) and content.get("do_rescale", True) else 0.0
        size = _size(content.get("crop_size") if content.get("do_center_crop", True) else None)
        size = size or _size(content.get("size"))
        return Processor(size, _scaled(mean, offset, scale), _scaled(std, 0.0, scale))
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigurationError(f"backbone {name}: its processor's settings cannot be used ({error})") from error


def _scaled(values: Triple, offset: float, scale: float) -> Triple:
    red, green, blue = (value if (offset, scale) == (0.0, 1.0) else (value + offset) / scale for value in values)
    return red, green, blue


def _triple(found: object) -> Triple | None:
    if found is None:
        return None
    red, green, blue = (float(value) for value in found)  # type: ignore[attr-defined]
    return red, green, blue


def _size(found: object) -> tuple[int, int] | None:
    if isinstance(found, Mapping):
        if "height" in found:
            return int(found["height"]), int(found["width"])
        found = found.get("shortest_edge")
    return None if found is None else (int(found), int(found))  # type: ignore[call-overload]
