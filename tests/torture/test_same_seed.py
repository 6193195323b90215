"""The same seed gives the same weights, whatever the number of loader processes, for every family of models."""

from __future__ import annotations

import warnings

import pytest
import torch
from every_model import MODELS, small
from lightning.pytorch import Trainer, seed_everything
from torch import Tensor

import vidcls.models
from vidcls.datasets import MovingShapes, VideoDataset, VideoFolder
from vidcls.flow import FlowSettings
from vidcls.loading import VideoDataModule
from vidcls.models import VideoClassifier
from vidcls.transforms import TransformSettings
from vidcls.types import sees

pytestmark = pytest.mark.filterwarnings("ignore")

NUM_STEPS = 3


def weights_after_training(
    model_class: type[VideoClassifier], dataset: VideoDataset, *, num_workers: int, seed: int = 5
) -> dict[str, Tensor]:
    """All weights and statistics after three steps with crops, flips, colours and mixing, and a validation."""
    seed_everything(seed, verbose=False)
    data = VideoDataModule(
        dataset,
        streams=model_class.streams,
        num_snippets=2,
        clip_len=4,
        flow_len=3,
        flow_settings=FlowSettings(method="farneback") if "flow" in model_class.streams else None,
        transform=TransformSettings(resize_px=32, crop_px=24, flip_probability=0.5, color_jitter=0.4),
        batch_size=4,
        num_workers=num_workers,
        mixup_alpha=0.0 if sees(model_class.streams, "audio") else 0.2,
        seed=seed,
    )
    model = small(model_class, data.class_names, data.clip)
    trainer = Trainer(
        max_steps=NUM_STEPS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(model, data)
    assert trainer.global_step == NUM_STEPS
    return {name: value.clone() for name, value in model.state_dict().items()}


def different(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    assert first.keys() == second.keys()
    return [name for name, value in first.items() if not torch.equal(value, second[name])]


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> MovingShapes:
    dataset = MovingShapes(
        tmp_path_factory.mktemp("tones"), num_train=16, num_val=16, num_test=16, size_px=32, sound=True
    )
    dataset.prepare()
    return dataset


@pytest.mark.parametrize("model_class", MODELS, ids=lambda model_class: model_class.__name__)
def test_the_same_seed_gives_the_same_weights_with_and_without_workers(
    model_class: type[VideoClassifier], clip_dataset: VideoFolder, tones: MovingShapes, is_full: bool
) -> None:
    dataset = tones if sees(model_class.streams, "audio") else clip_dataset
    first = weights_after_training(model_class, dataset, num_workers=0)
    assert different(first, weights_after_training(model_class, dataset, num_workers=2)) == []
    if is_full:
        assert different(first, weights_after_training(model_class, dataset, num_workers=0)) == []
        assert different(first, weights_after_training(model_class, dataset, num_workers=4)) == []


def test_once_more_without_workers_and_with_four(clip_dataset: VideoFolder) -> None:
    (model_class,) = (m for m in MODELS if m.__name__ == "SingleFrame")
    first = weights_after_training(model_class, clip_dataset, num_workers=0)
    assert different(first, weights_after_training(model_class, clip_dataset, num_workers=0)) == []
    assert different(first, weights_after_training(model_class, clip_dataset, num_workers=4)) == []


def test_another_seed_and_chance_that_no_seed_governs_are_found(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model_class,) = (m for m in MODELS if m.__name__ == "SingleFrame")
    first = weights_after_training(model_class, clip_dataset, num_workers=0)
    assert different(first, weights_after_training(model_class, clip_dataset, num_workers=0, seed=6)) != []
    sound = vidcls.loading.clip_dataset.augmented
    chance = iter([0.9, 1.1] * 50)

    def planted(pixels, kinds, drawn):
        pixels = sound(pixels, kinds, drawn)
        return {**pixels, "rgb": (pixels["rgb"] * next(chance)).to(pixels["rgb"].dtype)}

    monkeypatch.setattr(vidcls.loading.clip_dataset, "augmented", planted)
    assert different(first, weights_after_training(model_class, clip_dataset, num_workers=0)) != []
