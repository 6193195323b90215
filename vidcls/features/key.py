"""All that features depend on besides the video -> plain facts, and a digest that names their folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from vidcls.clips.settings import InputSettings
from vidcls.layers.token_encoder import TokenEncoder
from vidcls.layers.weights_digest import weights_digest
from vidcls.settings_file import parse_json
from vidcls.types import sees

FORMAT = "vidcls features"
FORMAT_VERSION = 1
FeatureType = Literal["float16", "float32"]
NUM_BYTES: dict[FeatureType, int] = {"float16": 2, "float32": 4}
_DIGEST_LETTERS = 32
_SHOWN_LETTERS = 16

# What happens to training clips, or to scores, and to no view of a test.
_OF_TRAINING = (
    *("train_crop", "min_area", "flip_probability", "flip_label_swaps", "color_jitter"),
    *("rotation_degrees", "shear_degrees", "scale_range", "rand_augment", "rand_augment_magnitude"),
    *("erasing_probability", "erasing_area", "reverse_probability", "reverse_labels", "reverse_others"),
    *("speed_range", "speed_labels", "speed_labels_from"),
)
_OF_SCORES = ("score",)
_OF_FLOW = ("flow_settings", "flow_on", "flow_len")
_OF_FLOW_TRANSFORM = ("flow_subtract_mean", "flow_std_px")


@dataclass(frozen=True)
class FeatureKey:
    """What tells features from those of another network, another way to read a video, or another version.

    Args:
        backbone: the name of the network.
        weights: sha256 of its weights, as :func:`vidcls.layers.weights_digest.weights_digest` computes it.
        shapes: ``(T, P, D)`` of the tokens of one view by level.
        grid: rows and columns of the places.
        inputs: how a video becomes its views, of :class:`InputSettings` what features depend on, in plain types.
        num_views: V of each video.
        dtype: in which values are kept.
    """

    backbone: str
    weights: str
    shapes: Mapping[str, tuple[int, int, int]]
    grid: tuple[int, int]
    inputs: Mapping[str, object]
    num_views: int
    dtype: FeatureType = "float16"

    @classmethod
    def of(
        cls, encoder: TokenEncoder, settings: InputSettings, *, backbone: str, dtype: FeatureType = "float16"
    ) -> FeatureKey:
        """The key of what an encoder says of videos.

        Args:
            encoder: the network, with its weights.
            settings: how a video becomes its views; of one stream.
            backbone: the name of the network.
            dtype: in which values are kept.
        """
        if len(settings.streams) != 1:
            raise ValueError(f"tokens are of one stream, got {len(settings.streams)}: use a store for each")
        (stream,) = settings.streams
        shape = (stream.channels, stream.length(settings.clip), *settings.transform.crop_size)
        return cls(
            backbone=backbone,
            weights=weights_digest(encoder.network),
            shapes=encoder.shapes(shape),
            grid=encoder.grid,
            inputs=input_facts(settings),
            num_views=settings.num_views,
            dtype=dtype,
        )

    @property
    def levels(self) -> tuple[str, ...]:
        """The names of the levels."""
        return tuple(self.shapes)

    @property
    def digest(self) -> str:
        """What names the folder: sha256 over the facts, shortened."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LETTERS]

    @property
    def num_bytes(self) -> int:
        """Bytes of the features of one video."""
        return NUM_BYTES[self.dtype] * self.num_views * sum(map(math.prod, self.shapes.values()))

    def to_dict(self) -> dict[str, object]:
        """The facts in plain types, as JSON gives them back."""
        plain = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "backbone": self.backbone,
            "weights": self.weights,
            "levels": {level: list(shape) for level, shape in self.shapes.items()},
            "grid": list(self.grid),
            "num_views": self.num_views,
            "dtype": self.dtype,
            "inputs": dict(self.inputs),
        }
        return cast(dict[str, object], parse_json(json.dumps(plain)))

    def difference(self, found: Mapping[str, object]) -> str:
        """In which of its facts something found differs, and how; first its weights, by which networks are told apart.

        >>> key = FeatureKey("small", 64 * "a", {"block4": (16, 1, 64)}, (1, 1), {}, 1)
        >>> print(key.difference({**key.to_dict(), "weights": 64 * "b"}))
        weights bbbbbbbbbbbbbbbb, expected weights aaaaaaaaaaaaaaaa
        """
        own, other = _flat(self.to_dict()), _flat(found)
        names = sorted((name for name in own.keys() | other if own.get(name) != other.get(name)), key=_order)
        if not names:
            return "nothing"
        name = names[0]
        got, expected = (str(facts.get(name))[:_SHOWN_LETTERS] for facts in (other, own))
        return f"{name} {got}, expected {name} {expected}"


def input_facts(settings: InputSettings) -> dict[str, object]:
    """Of the settings of an input those that the views of a test depend on, in plain types."""
    plain = settings.to_dict()
    transform = dict(cast(Mapping[str, object], plain["transform"]))
    has_flow = sees(settings.streams, "flow")
    for name in (*_OF_SCORES, *(() if has_flow else _OF_FLOW)):
        plain.pop(name)
    for name in (*_OF_TRAINING, *(() if has_flow else _OF_FLOW_TRANSFORM)):
        transform.pop(name)
    return {**plain, "transform": transform}


def _flat(facts: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Facts by names with dots."""
    found: dict[str, object] = {}
    for name, value in facts.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def _order(name: str) -> tuple[int, str]:
    first: Sequence[str] = ("format", "format_version", "weights", "backbone")
    return (first.index(name) if name in first else len(first)), name
