"""Batch -> logits: the base of all classifiers, one file per architecture, and the loading of checkpoints."""

from vidcls.inference import HasParts
from vidcls.models.audio_visual import AudioVisual
from vidcls.models.build import load_classifier
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.models.classifier import VideoClassifier
from vidcls.models.conv3d import Conv3D
from vidcls.models.early_fusion import EarlyFusion
from vidcls.models.late_fusion import LateFusion
from vidcls.models.movinet import MoViNet
from vidcls.models.probe import Probe
from vidcls.models.recurrent_conv import RecurrentConv
from vidcls.models.single_frame import SingleFrame
from vidcls.models.slow_fusion import SlowFusion
from vidcls.models.slowfast import SlowFast
from vidcls.models.three_stream import ThreeStream
from vidcls.models.tsm import TSM
from vidcls.models.two_stream import TwoStream
from vidcls.models.two_stream_fusion import TwoStreamFusion
from vidcls.models.two_stream_probe import TwoStreamProbe
from vidcls.models.x3d import X3D

__all__ = [
    "TSM",
    "X3D",
    "AudioVisual",
    "CheckpointFacts",
    "Conv3D",
    "EarlyFusion",
    "HasParts",
    "LateFusion",
    "MoViNet",
    "Probe",
    "RecurrentConv",
    "SingleFrame",
    "SlowFast",
    "SlowFusion",
    "ThreeStream",
    "TwoStream",
    "TwoStreamFusion",
    "TwoStreamProbe",
    "VideoClassifier",
    "load_classifier",
    "read_checkpoint",
]
