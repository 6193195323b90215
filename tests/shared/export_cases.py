"""Small networks whose answers hang on what they see, and their graphs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from factories import two_stream
from lightning.pytorch import Trainer

from vidcls.clips import InputSettings
from vidcls.flow import FlowSettings
from vidcls.models import VideoClassifier
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
SIZE = (32, 40)


def settings_of(model: VideoClassifier, **more: object) -> InputSettings:
    """Those of its clips, with an input stage that does something."""
    transform = TransformSettings(resize_px=32, crop_px=SIZE, flow_subtract_mean=True)
    found = InputSettings(model.streams, model.clip, transform=transform, flow_settings=FlowSettings())
    return replace(found, **more)  # type: ignore[arg-type]


def stirred(model: VideoClassifier, **more: object) -> VideoClassifier:
    """The same with weights that make clips of noise differ: an untrained network answers all of them alike."""
    generator = torch.Generator().manual_seed(3)
    model.input_settings = settings_of(model, **more).to_dict()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1:
                parameter.copy_(noise * (2.0 / parameter[0].numel()) ** 0.5)
            elif name.endswith("bias"):
                parameter.copy_(noise * 0.1)
        for name, module in model.named_modules():
            if "head" in name and isinstance(module, torch.nn.Linear):
                module.weight.mul_(4)
    return model.eval()


def clip_of(**sizes: int) -> ClipSettings:
    return ClipSettings(**{"clip_len": 4, "flow_len": 3, **sizes})


def saved_checkpoint(folder: Path) -> Path:
    """A checkpoint of a small two-stream network of no run."""
    model = stirred(two_stream(clip=clip_of(clip_len=1)))
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"
