"""A checkpoint and videos -> class names and scores, as text, tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidcls.predict.predictor import Device, Predictor, load

__all__ = ["Device", "Predictor", "load"]


def __getattr__(name: str) -> object:
    """Import the network with its first use: to find videos takes none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vidcls.predict import predictor

    return getattr(predictor, name)
