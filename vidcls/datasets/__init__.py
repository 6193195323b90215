"""Which videos exist, what they are called, and which split each belongs to; never pixels."""

from vidcls.datasets.base import VideoDataset
from vidcls.datasets.cvat import CVAT
from vidcls.datasets.fiftyone import FiftyOne
from vidcls.datasets.folds import refold
from vidcls.datasets.hmdb51 import HMDB51
from vidcls.datasets.kinetics import Kinetics
from vidcls.datasets.label_studio import LabelStudio
from vidcls.datasets.moving_shapes import MovingShapes
from vidcls.datasets.something_something import SomethingSomething
from vidcls.datasets.ucf101 import UCF101
from vidcls.datasets.video_csv import VideoCsv
from vidcls.datasets.video_folder import VideoFolder
from vidcls.video_files import VIDEO_SUFFIXES, is_video, videos_below

__all__ = [
    "CVAT",
    "HMDB51",
    "UCF101",
    "VIDEO_SUFFIXES",
    "FiftyOne",
    "Kinetics",
    "LabelStudio",
    "MovingShapes",
    "SomethingSomething",
    "VideoCsv",
    "VideoDataset",
    "VideoFolder",
    "is_video",
    "refold",
    "videos_below",
]
