"""Train, test and use video classifiers.

The names below are what most programs need; each is imported when it is first used::

    import vidcls

    model = vidcls.load("best")
    print(model("video.mp4").label)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidcls import datasets, models
    from vidcls.explain import Explainer
    from vidcls.flow import FlowSettings, FlowStore
    from vidcls.layers import build_backbone
    from vidcls.loading import VideoDataModule
    from vidcls.models import VideoClassifier, load_classifier
    from vidcls.predict import Predictor, load
    from vidcls.predict.prediction import Prediction
    from vidcls.remote import allow_remote
    from vidcls.types import VideoRecord
    from vidcls.video import open_video, write_video
    from vidcls.video_part import VideoPart

__version__ = "0.1.0"

__all__ = [
    "Explainer",
    "FlowSettings",
    "FlowStore",
    "Prediction",
    "Predictor",
    "VideoClassifier",
    "VideoDataModule",
    "VideoPart",
    "VideoRecord",
    "__version__",
    "allow_remote",
    "build_backbone",
    "datasets",
    "load",
    "load_classifier",
    "models",
    "open_video",
    "write_video",
]

# What a configuration names by its class is not repeated here: its name in a file would be the shortest there is, and
# so change with this list.
_MODULES = ("datasets", "models")
_HOMES = {
    "Explainer": "vidcls.explain",
    "FlowSettings": "vidcls.flow",
    "FlowStore": "vidcls.flow",
    "Prediction": "vidcls.predict.prediction",
    "Predictor": "vidcls.predict",
    "VideoClassifier": "vidcls.models",
    "VideoDataModule": "vidcls.loading",
    "VideoPart": "vidcls.video_part",
    "VideoRecord": "vidcls.types",
    "allow_remote": "vidcls.remote",
    "build_backbone": "vidcls.layers",
    "load": "vidcls.predict",
    "load_classifier": "vidcls.models",
    "open_video": "vidcls.video",
    "write_video": "vidcls.video",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"vidcls.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
