"""A checkpoint and videos -> class names and scores, as text, tables and pictures."""

from vidcls.predict.predictor import Device, Predictor, load

__all__ = ["Device", "Predictor", "load"]
