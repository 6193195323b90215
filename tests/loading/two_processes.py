"""Trains and tests a small network on as many processes as asked; run by ``test_two_processes.py``.

Arguments: folder of clips, file for the result, number of processes.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Trainer, seed_everything

from vidcls.callbacks import SvmFit
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream
from vidcls.transforms import TransformSettings

TEST_BATCH_SIZES = (2, 7)  # of 7 videos two processes get 2 + 2 batches, or 1 + 0


def main(clip_folder: str, result: str, num_processes: int) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found: dict[str, object] = {}
    for test_batch_size in TEST_BATCH_SIZES:
        seed_everything(1)
        data = VideoDataModule(
            VideoFolder(clip_folder),
            streams=("rgb", "flow"),
            flow_len=3,
            transform=TransformSettings(resize_px=32, crop_px=24),
            test_clips=2,
            batch_size=3,
            test_batch_size=test_batch_size,
            num_workers=0,
        )
        model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
        untrained_checkpoint = Path(f"{result}-{test_batch_size}.ckpt")
        trainer = Trainer(
            max_epochs=1,
            callbacks=SvmFit([untrained_checkpoint]),
            strategy="ddp" if num_processes > 1 else "auto",
            devices=num_processes,
            accelerator="cpu",
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.test(model, data, verbose=False)
        assert model.test_scores is not None
        untrained = model.test_scores
        table = {name: float(value) for name, value in trainer.callback_metrics.items()}
        trainer.save_checkpoint(untrained_checkpoint)
        trainer.fit(model, data)
        validation = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val/")}
        gathered = trainer.strategy.all_gather(model.nets["temporal"].stem.weight.detach())
        found[str(test_batch_size)] = {
            "indices": untrained.indices,
            "labels": untrained.labels,
            "scores": dict(untrained.scores),
            "table": table,
            "validation": validation,
            "num_steps": trainer.global_step,
            "kernels_by_process": gathered,
            "fitted": torch.load(untrained_checkpoint, weights_only=True)["state_dict"],
        }
    if trainer.global_rank == 0:
        torch.save(found, result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
