"""Small data, networks and runs, made in one place for all tests."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning.pytorch import Trainer

from vidcls.datasets import VideoDataset
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]


def video_data(dataset: VideoDataset, **settings: object) -> VideoDataModule:
    """Clips of 32x32 px, loaded in the process itself unless the settings say otherwise."""
    transform = TransformSettings(resize_px=32, crop_px=32)
    return VideoDataModule(dataset, **{"transform": transform, "num_workers": 0, **settings})  # type: ignore[arg-type]


def two_stream(*, seed: int = 0, **arguments: object) -> TwoStream:
    """Two small backbones with weights of that seed."""
    torch.manual_seed(seed)
    given = {"class_names": CLASSES, "clip": ClipSettings(), "spatial": "small", "temporal": "small", **arguments}
    return TwoStream(**given)  # type: ignore[arg-type]


def saved_run(folder: Path, data: VideoDataModule) -> Path:
    """The folder of a run with a best checkpoint, of a single-frame network that nobody trained."""
    torch.manual_seed(0)
    model = SingleFrame(class_names=list(data.class_names), clip=data.clip, backbone="small")
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(folder / "checkpoints" / "best.ckpt")
    return folder
