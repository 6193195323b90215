"""The configuration for fine-tuning, on a folder of clips, with a file of weights for other classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torchvision import models

Command = Callable[..., object]

SMALL = {
    "data.clip_len": 4,
    "data.batch_size": 2,
    "data.test_clips": 1,
    "data.num_workers": 0,
    "data.transform.resize_px": 32,
    "data.transform.crop_px": 32,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": "false",
    "trainer.max_epochs": 1,
    "trainer.limit_train_batches": 2,
    "trainer.limit_val_batches": 1,
}


def test_weights_of_kinetics_start_a_network_for_a_folder_of_clips(
    vidcls: Command, clip_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    torch.manual_seed(0)
    kinetics = models.get_model("r2plus1d_18", weights=None, num_classes=400).state_dict()
    torch.save(kinetics, tmp_path / "kinetics.pth")
    small = [f"--{name}={value}" for name, value in SMALL.items()]
    here = ["--data.dataset.root", str(clip_folder), "--model.init_args.weights", str(tmp_path / "kinetics.pth")]
    run, at_once = tmp_path / "run", "--model.init_args.transfer.unfreeze={}"
    outcome = vidcls("fit", "--config", "finetune", *here, at_once, *small, "--run", str(run))
    assert outcome.status == 0, outcome.err
    said = caplog.text + outcome.out + outcome.err
    assert "kinetics.pth loaded, but for the last layer" in said
    assert "frozen up to layer3" in said
    trained = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in kinetics.items():
        place = name.split(".")[0]
        if place in ("stem", "layer1", "layer2", "layer3"):
            assert torch.equal(trained[f"backbone.stages.{name}"], value), name
    moved = "layer4.0.conv1.0.0.weight"
    assert not torch.equal(trained[f"backbone.stages.{moved}"], kinetics[moved])
    (run / "checkpoints" / "best.ckpt").unlink()
    (tmp_path / "kinetics.pth").unlink()  # a checkpoint needs the initial weights no more
    outcome = vidcls("test", "--ckpt_path", "last", "--run", str(run), "--trainer.enable_progress_bar=false")
    assert outcome.status == 0, outcome.err
