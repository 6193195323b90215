"""A model -> the same model with what makes a step of training faster and changes no result but by rounding."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn

from vidcls.errors import ConfigurationError
from vidcls.models import VideoClassifier


class SpeedUp(Callback):
    """Channels-last weights, compiled backbones and a fused AdamW.

    Names of weights stay as they are, so that checkpoints can be used with and without.

    Args:
        channels_last: keep weights of convolutions with the channels as the last axis, as tensor cores want them; the
            layers hand this form on.
        compile: compile every backbone (``torch.compile``); the first step takes a minute more. Needs a C++ compiler on
            a CPU.
        fused: one kernel for the whole step of AdamW; without this callback AdamW is fused on a CPU alone, unless
            precision is mixed.
    """

    def __init__(self, *, channels_last: bool = True, compile: bool = True, fused: bool = True) -> None:
        self.channels_last = channels_last
        self.compile = compile
        self.fused = fused

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Change the model before it is moved and its optimiser is made."""
        if stage != "fit":
            return
        if not isinstance(pl_module, VideoClassifier):
            raise ConfigurationError(
                f"callbacks.SpeedUp speeds up classifiers of vidcls, not {type(pl_module).__name__}: remove it"
            )
        is_fused = self.fused and pl_module.optimization.optimizer == "adamw"
        if is_fused and trainer.gradient_clip_val and str(trainer.precision).endswith("mixed"):
            raise ConfigurationError(
                f"gradient_clip_val and a fused optimiser exclude each other in {trainer.precision}: pass SpeedUp "
                "fused: false, or leave the clipping out"
            )
        pl_module.fused_optimizer = self.fused
        if self.channels_last:
            channels_last(pl_module)
        if self.compile:
            for backbone in pl_module.backbones.values():
                if backbone._compiled_call_impl is None:  # not by an earlier fit
                    backbone.compile()


def channels_last(module: nn.Module) -> None:
    """Give the weights of 2D and 3D convolutions the memory format of that name; their values stay."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        elif isinstance(layer, nn.Conv3d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)
