"""Frame indices -> clip tensors, as a model sees them."""

from vidcls.clips.settings import InputSettings

__all__ = ["InputSettings"]
