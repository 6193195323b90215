"""What happens to a batch on its way to the network, on a GPU that is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Literal

import pytest
import torch
from fake_cuda import META, devices_of, without_synchronisation
from lightning.pytorch.utilities import move_data_to_device

from vidcls.datasets import VideoFolder
from vidcls.flow import FlowSettings
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings
from vidcls.types import Batch

TRANSFORM = TransformSettings(resize_px=None, crop_px=(32, 40), color_jitter=0.4, flip_probability=0.5)


def prepared(
    dataset: VideoFolder,
    *,
    augment_on: Literal["loader", "device"] = "device",
    mixup_alpha: float = 0.0,
    cutmix_alpha: float = 0.0,
    are_trained: bool = True,
) -> Batch:
    """A batch as the loader gives it, taken to the GPU as the trainer takes it, without one wait."""
    data = VideoDataModule(
        dataset,
        streams=("rgb", "flow"),
        clip_len=2,
        flow_len=3,
        batch_size=4,
        num_workers=0,
        transform=TRANSFORM,
        augment_on=augment_on,
        mixup_alpha=mixup_alpha,
        cutmix_alpha=cutmix_alpha,
        flow_settings=FlowSettings(method="dis"),
    )
    batch: Batch = next(iter(data.train_dataloader() if are_trained else data.val_dataloader()))
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        training=are_trained, current_epoch=0, precision_plugin=SimpleNamespace(convert_input=lambda batch: batch)
    )
    batch = data.on_before_batch_transfer(batch, 0)
    batch = move_data_to_device(batch, META)
    with without_synchronisation():
        return data.on_after_batch_transfer(batch, 0)


@pytest.mark.parametrize("augment_on", ["loader", "device"])
@pytest.mark.parametrize(("mixup_alpha", "cutmix_alpha"), [(0.0, 0.0), (0.4, 0.0), (0.0, 1.0)])
def test_training_clips_are_mirrored_coloured_normalised_and_mixed_without_waiting(
    augment_on: Literal["loader", "device"], mixup_alpha: float, cutmix_alpha: float, clip_dataset: VideoFolder
) -> None:
    batch = prepared(clip_dataset, augment_on=augment_on, mixup_alpha=mixup_alpha, cutmix_alpha=cutmix_alpha)
    assert devices_of(batch) == {"meta"}
    assert (batch["streams"]["rgb"].shape, batch["streams"]["rgb"].dtype) == ((4, 3, 2, 32, 40), torch.float32)
    assert (batch["streams"]["flow"].shape, batch["streams"]["flow"].dtype) == ((4, 2, 3, 32, 40), torch.float32)
    assert ("target" in batch) is bool(mixup_alpha or cutmix_alpha)
    assert not {"augmentation", "mixing_seed"} & set(batch)


def test_validation_clips_are_normalised_without_waiting(clip_dataset: VideoFolder) -> None:
    assert devices_of(prepared(clip_dataset, are_trained=False, mixup_alpha=0.4)) == {"meta"}
