"""Video files -> frames, which frames to read, and frames -> video files."""

from vidcls.video.memory_reader import MemoryReader
from vidcls.video.reader import BACKENDS, Backend, DecoderFallbackWarning, Video, open_video
from vidcls.video.remote_file import RemoteFile
from vidcls.video.sampling import (
    ShortPolicy,
    flow_window,
    random_clip,
    segment_clips,
    stride_frames,
    uniform_views,
    windows,
)
from vidcls.video.source import BytesInMemory, FramesInMemory, LocalFile, VideoSource, source_at, source_of
from vidcls.video.video_reader import VideoReader
from vidcls.video.writer import VideoCodec, write_video

__all__ = [
    "BACKENDS",
    "Backend",
    "BytesInMemory",
    "DecoderFallbackWarning",
    "FramesInMemory",
    "LocalFile",
    "MemoryReader",
    "RemoteFile",
    "ShortPolicy",
    "Video",
    "VideoCodec",
    "VideoReader",
    "VideoSource",
    "flow_window",
    "open_video",
    "random_clip",
    "segment_clips",
    "source_at",
    "source_of",
    "stride_frames",
    "uniform_views",
    "windows",
    "write_video",
]
