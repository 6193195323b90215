"""A trainer of several processes -> an error where its settings and those of the data exclude each other.

Lightning tells neither setting in public; checked against Lightning 2.6.
"""

from __future__ import annotations

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy

from vidcls.errors import ConfigurationError
from vidcls.loading.clip_dataset import BadVideos


def check_processes(trainer: Trainer, *, bad_videos: BadVideos) -> None:
    """Refuse a trainer that would deal the batches again, or whose processes could wait for each other forever.

    Args:
        trainer: with its strategy set up; one of a single process is always accepted.
        bad_videos: what happens to a training video that cannot be read.

    Raises:
        ConfigurationError: with the setting to change.
    """
    if trainer.world_size == 1:
        return
    if trainer._accelerator_connector.use_distributed_sampler:
        raise ConfigurationError(
            "the data module deals the videos to the processes itself: pass Trainer(use_distributed_sampler=False)"
        )
    if trainer._accelerator_connector._layer_sync is None:
        return
    if isinstance(trainer.strategy, ModelParallelStrategy):
        raise ConfigurationError(
            "--trainer fsdp: sync_batchnorm: true has no effect on it: set --trainer.sync_batchnorm false, or use "
            "--trainer ddp"
        )
    if trainer.strategy.root_device.type == "cpu":
        raise ConfigurationError(
            "sync_batchnorm: true works on GPUs alone, and this training runs on the CPU: set "
            "--trainer.sync_batchnorm false"
        )
    if bad_videos == "skip":
        raise ConfigurationError(
            "bad_videos: skip and sync_batchnorm: true exclude each other on several processes (one whose whole "
            "batch was skipped would leave the others waiting): set --trainer.sync_batchnorm false"
        )
