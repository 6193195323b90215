"""Every architecture of ``vidcls.models``, and what makes a small net of it: a new one joins by being defined there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import vidcls.models
from vidcls.models import VideoClassifier
from vidcls.types import ClipSettings

CHEAP: dict[str, dict[str, object]] = {  # arguments that make a net small; a model that is not here is made by default
    "AudioVisual": {"spatial": "small", "audio": "small"},
    "Conv3D": {"backbone": "small_3d"},
    "EarlyFusion": {"backbone": "small"},
    "LateFusion": {"backbone": "small", "joined_fc": 8},
    # A block that is its shortcut at first has a branch that a first step does not move.
    "MoViNet": {"form": "tiny", "causal": True, "zero_init_residual": False},
    "Probe": {"backbone": "small", "weights": None, "train_on": "clips"},
    "RecurrentConv": {"backbone": "small", "levels": ["block3", "block4"], "widths": [4, 6]},
    "SingleFrame": {"backbone": "small"},
    "SlowFast": {"depth": 14, "width": 16, "alpha": 2},
    "SlowFusion": {"backbone": "small", "extents": [2, 2], "strides": [1, 1]},
    "TSM": {"backbone": "small"},
    "ThreeStream": {"spatial": "small", "temporal": "small", "audio": "small"},
    "TwoStream": {"spatial": "small", "temporal": "small"},
    "TwoStreamFusion": {"spatial": "small", "temporal": "small"},
    "TwoStreamProbe": {
        "backbone": "small",
        "weights": None,
        "flow_backbone": "small",
        "flow_weights": None,
        "train_on": "clips",
    },
    "X3D": {"form": "tiny"},
}


def all_models() -> Iterator[type[VideoClassifier]]:
    for module in pkgutil.iter_modules(vidcls.models.__path__, "vidcls.models."):
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            is_model = issubclass(found, VideoClassifier) and not inspect.isabstract(found)
            if is_model and found.__module__ == module.name:
                yield found


MODELS = sorted(all_models(), key=lambda model_class: model_class.__name__)


def small(
    model_class: type[VideoClassifier], class_names: list[str], clip: ClipSettings, **more: object
) -> VideoClassifier:
    return model_class(class_names=class_names, clip=clip, **CHEAP.get(model_class.__name__, {}), **more)  # type: ignore[arg-type]
