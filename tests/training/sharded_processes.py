"""Trains small networks on two processes by DDP and with shared weights; run by ``test_sharded.py``.

Arguments: folder of clips, folder for the results.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.strategies import DDPStrategy, Strategy

from vidcls.callbacks import SvmFit, WholeCheckpoints
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import RecurrentConv, TwoStream, VideoClassifier
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.sharded import Sharded
from vidcls.training.transfer import TransferSettings
from vidcls.transforms import TransformSettings

Make = Callable[[VideoDataModule], VideoClassifier]


class Losses(Callback):
    """Keeps the losses, and saves after every epoch."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[float] = []

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        trainer.save_checkpoint(self.file.with_stem(f"{self.file.stem}_{trainer.current_epoch}"))

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: object) -> None:
        self.found.append(float(trainer.callback_metrics["train/loss"]))

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.found.append(float(trainer.callback_metrics["val/loss"]))


def two_stream(data: VideoDataModule) -> VideoClassifier:
    return TwoStream(
        class_names=data.class_names,
        clip=data.clip,
        spatial="small",
        temporal="small",
        optimization=OptimizationSettings(optimizer="adamw", lr=0.01, weight_decay_on="weights"),
        transfer=TransferSettings(freeze="block1", unfreeze={1: "block1"}, lr_decay=0.5),
    )


def recurrent(data: VideoDataModule) -> VideoClassifier:
    """Of which the same weights work on every frame."""
    return RecurrentConv(
        class_names=data.class_names, clip=data.clip, backbone="small", optimization=OptimizationSettings(lr=0.05)
    )


def train(strategy: Strategy, make: Make, clips: str, folder: Path, *, resume: str = "") -> list[float]:
    """The losses of two epochs, or of the second one."""
    seed_everything(1)
    has_flow = make is two_stream
    data = VideoDataModule(
        VideoFolder(clips),
        streams=("rgb", "flow") if has_flow else ("rgb",),
        clip_len=1 if has_flow else 4,
        flow_len=3 if has_flow else 1,
        transform=TransformSettings(resize_px=32, crop_px=24),
        batch_size=2,
        test_batch_size=2,  # of 3 videos the second process has one
        num_workers=0,
    )
    name = f"{make.__name__}_{type(strategy).__name__}{'_again' if resume else ''}"
    losses = Losses(folder / f"{name}.ckpt")
    trainer = Trainer(
        max_epochs=2,
        callbacks=[losses, SvmFit([folder / f"{name}_1.ckpt"])],
        strategy=strategy,
        devices=2,
        accelerator="cpu",
        plugins=[WholeCheckpoints()],
        gradient_clip_val=0.5,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(make(data), data, ckpt_path=folder / f"{resume}.ckpt" if resume else None, weights_only=True)
    return losses.found


def main(clips: str, folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = {}
    for make in (two_stream, recurrent):
        for strategy in (DDPStrategy, Sharded):
            found[f"{make.__name__}_{strategy.__name__}"] = train(strategy(), make, clips, folder)
    found["again"] = train(Sharded(), two_stream, clips, folder, resume="two_stream_DDPStrategy_0")
    if torch.distributed.get_rank() == 0:
        torch.save(found, folder / "found.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
