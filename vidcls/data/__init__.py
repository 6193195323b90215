"""Records -> batches: clip reading, samplers, loaders and the data module."""

from vidcls.data.datamodule import VideoDataModule
from vidcls.data.settings import InputSettings

__all__ = ["InputSettings", "VideoDataModule"]
