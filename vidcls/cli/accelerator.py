"""The device that a training asks for -> nothing, or one line where this machine has none."""

from __future__ import annotations

import torch

from vidcls.errors import ConfigurationError

GPU_NAMES = ("gpu", "cuda", "mps")


def check_accelerator(accelerator: object) -> None:
    """Refuse a GPU where there is none, before data and model are made.

    Args:
        accelerator: of the trainer.

    Raises:
        ConfigurationError: says what to remove.
    """
    if accelerator not in GPU_NAMES:
        return
    has_mps = accelerator != "cuda" and torch.backends.mps.is_available()
    if not has_mps and (accelerator == "mps" or not torch.cuda.is_available()):
        raise ConfigurationError(
            f"--trainer.accelerator {accelerator}: torch finds no such device on this machine (vidcls doctor says what "
            "it finds): remove --trainer gpu or --trainer.accelerator, or --device cuda of compare, to use the CPU"
        )
