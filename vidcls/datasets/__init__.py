"""Which videos exist, what they are called, and which split each belongs to; never pixels."""

from vidcls.datasets.base import VideoDataset
from vidcls.datasets.folds import refold
from vidcls.datasets.hmdb51 import HMDB51
from vidcls.datasets.kinetics import Kinetics
from vidcls.datasets.moving_shapes import MovingShapes
from vidcls.datasets.something_something import SomethingSomething
from vidcls.datasets.ucf101 import UCF101
from vidcls.datasets.video_csv import VideoCsv
from vidcls.datasets.video_folder import VideoFolder
from vidcls.video_files import VIDEO_SUFFIXES, is_video, videos_below

__all__ = [
    "HMDB51",
    "UCF101",
    "VIDEO_SUFFIXES",
    "Kinetics",
    "MovingShapes",
    "SomethingSomething",
    "VideoCsv",
    "VideoDataset",
    "VideoFolder",
    "is_video",
    "refold",
    "videos_below",
]
