"""A short training on batches that a test made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from vidcls.models import VideoClassifier


@pytest.fixture(scope="session")
def train_on() -> Callable[..., Trainer]:
    """Takes one step with the model on each of the batches, and gives the trainer back."""

    def train(
        model: VideoClassifier, batches: Sequence[dict[str, Tensor]], folder: Path, *, resume: Path | None = None
    ) -> Trainer:
        trainer = Trainer(
            max_steps=len(batches),
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        loader = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
        trainer.fit(model, loader, ckpt_path=resume, weights_only=True if resume else None)
        return trainer

    return train
