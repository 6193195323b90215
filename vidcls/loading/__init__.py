"""Clips -> batches: samplers, loaders and the data module, which alone needs Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vidcls.loading.datamodule import VideoDataModule

__all__ = ["VideoDataModule"]


def __getattr__(name: str) -> object:
    if name != "VideoDataModule":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vidcls.loading.datamodule import VideoDataModule

    return VideoDataModule
