"""Videos to measure with, and the training clips that are read of them.

The videos are real H.264 at 340x256 with a key frame every 250 frames, or synthetic ones of that kind.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings
from vidcls.types import Batch
from vidcls.video import open_video, write_video
from vidcls.video.reader import Backend

HEIGHT_PX, WIDTH_PX, FPS, GOP, CRF = 256, 340, 28.0, 250, 23
CLIP_LEN, STRIDE, BATCH = 16, 4, 8
SETTINGS = TransformSettings(resize_px=128, crop_px=112, train_crop="random", flip_probability=0.5)


def real_data() -> Path | None:
    """The folder of real clips, where VIDCLS_REAL_DATA names it."""
    named = os.environ.get("VIDCLS_REAL_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def source_frames(num_frames: int) -> Tensor:
    """``(T, 3, 256, 340)`` uint8: a real clip played forwards and backwards, or a texture that drifts."""
    folder = real_data()
    if folder is not None:
        with open_video(folder / "oddities" / "base_faststart.mp4") as video:
            frames = video.frames(range(video.num_frames))
        there_and_back = torch.cat([frames, frames.flip(0)])
        return there_and_back.repeat(-(-num_frames // len(there_and_back)), 1, 1, 1)[:num_frames]
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(1, 3, HEIGHT_PX // 8, WIDTH_PX // 8, generator=generator)
    picture = F.interpolate(texture, (HEIGHT_PX, WIDTH_PX), mode="bicubic").clamp(0, 1)[0]
    noise = torch.randn(num_frames, 1, HEIGHT_PX, WIDTH_PX, generator=generator) * 2
    moved = torch.stack([picture.roll((t, 2 * t), dims=(1, 2)) for t in range(num_frames)]) * 255
    return (moved + noise).clamp(0, 255).to(torch.uint8)


def write_originals(folder: Path, *, num_videos: int, num_frames: int) -> list[Path]:
    """H.264 files in two class folders under ``train``, different from each other by where they begin."""
    frames = source_frames(num_frames + num_videos)
    paths: list[Path] = []
    for number in range(num_videos):
        path = folder / "train" / ("one", "two")[number % 2] / f"{number:03}.mp4"
        write_video(path, frames[number : number + num_frames], fps=FPS, gop=GOP, quality=CRF)
        paths.append(path)
    return paths


def with_other_parts(root: Path, paths: list[Path]) -> VideoFolder:
    """A data set needs a validation and a test split; they are not measured."""
    for part in ("val", "test"):
        for number, label in enumerate(("one", "two")):
            place = root / part / label
            place.mkdir(parents=True)
            (place / f"{number}.mp4").write_bytes(paths[number].read_bytes())
    return VideoFolder(root)


def training_batches(
    dataset: VideoFolder | VideoCsv, *, workers: int, num_repeats: int = 1, decoder: Backend | None = None
) -> Generator[Batch]:
    """Batches of our loader, epoch after epoch, whose workers run until the iterator is closed."""
    data = VideoDataModule(
        dataset,
        clip_len=CLIP_LEN,
        stride=STRIDE,
        transform=SETTINGS,
        batch_size=BATCH,
        num_repeats=num_repeats,
        num_workers=workers,
        decoder=decoder,
    )
    loader = data.train_dataloader()
    try:
        for epoch in range(10**6):
            loader.set_epoch(epoch)
            yield from loader
    finally:
        loader.close()
