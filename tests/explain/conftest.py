"""Checkpoints of untrained models that know how a video becomes their input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import VideoClassifier
from vidcls.transforms import TransformSettings

SaveModel = Callable[..., Path]


@pytest.fixture(scope="session")
def saved_model(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> SaveModel:
    """Saves a model of that class with these arguments, on clips as the keywords of the data say."""

    def save(model_class: type[VideoClassifier], arguments: dict[str, object], **data: object) -> Path:
        torch.manual_seed(0)
        settings: dict[str, object] = {"transform": TransformSettings(resize_px=32, crop_px=32), **data}
        module = VideoDataModule(clip_dataset, streams=model_class.streams, num_workers=0, **settings)  # type: ignore[arg-type]
        model = model_class(class_names=list(module.class_names), clip=module.clip, **arguments)  # type: ignore[arg-type]
        trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
        trainer.test(model, module, verbose=False)
        path = tmp_path_factory.mktemp(model_class.__name__) / "model.ckpt"
        trainer.save_checkpoint(path)
        return path

    return save
