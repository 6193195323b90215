"""A short training on batches that a test made, and a model walked layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from vidcls.layers.layer_table import layer_table
from vidcls.models import VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.types import ClipSettings

WITHOUT_SHAPE = ("ReLU", "Dropout", "Identity", "FlattenMaps", "Flatten", "BatchNorm2d", "BatchNorm3d")
Row = tuple[str, str, str, str, str, str, int]
"""Place, kind, kernel, stride, padding, output without B, parameters; sizes as 11x11, ``-`` where there is none."""


@pytest.fixture(scope="session")
def train_on() -> Callable[..., Trainer]:
    """Takes one step with the model on each of the batches, or on several together, and gives the trainer back."""

    def train(
        model: VideoClassifier,
        batches: Sequence[dict[str, Tensor]],
        folder: Path,
        *,
        resume: Path | None = None,
        together: int = 1,
    ) -> Trainer:
        trainer = Trainer(
            max_steps=len(batches) // together,
            accumulate_grad_batches=together,
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


@pytest.fixture(scope="session")
def on_meta() -> Callable[..., VideoClassifier]:
    """Builds a model for so many classes without making its weights."""

    def build(
        model_class: type[VideoClassifier], num_classes: int, clip: ClipSettings, **arguments: object
    ) -> VideoClassifier:
        names = [f"class{k}" for k in range(num_classes)]
        with torch.device("meta"):
            return model_class(class_names=names, clip=clip, **arguments)  # type: ignore[arg-type]

    return build


@pytest.fixture(scope="session")
def walked() -> Callable[[VideoClassifier, int], list[Row]]:
    """The layers that change shapes, normalise responses or hold weights, in order, for pictures of so many px."""

    def walk(model: VideoClassifier, side_px: int) -> list[Row]:
        def written(sizes: tuple[int, ...] | str | None) -> str:
            return "-" if sizes is None else sizes if isinstance(sizes, str) else "x".join(map(str, sizes))

        return [
            (
                row.name,
                row.kind,
                written(row.kernel),
                written(row.stride),
                written(row.padding),
                written(row.output_shape),
                row.num_parameters,
            )
            for row in layer_table(model, *input_shapes(model.streams, model.clip, side_px))
            if row.kind not in WITHOUT_SHAPE
        ]

    return walk
