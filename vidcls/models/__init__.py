"""Batch -> logits: the base of all classifiers, one file per architecture, and the loading of checkpoints."""

from vidcls.models.checkpoint import CheckpointFacts, load_classifier, read_checkpoint
from vidcls.models.classifier import VideoClassifier
from vidcls.models.parts import HasParts
from vidcls.models.single_frame import SingleFrame
from vidcls.models.two_stream import TwoStream

__all__ = [
    "CheckpointFacts",
    "HasParts",
    "SingleFrame",
    "TwoStream",
    "VideoClassifier",
    "load_classifier",
    "read_checkpoint",
]
