"""An encoder of transformers in a folder: trained, recorded, and used again where the folder has moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hub_models import CLASSIFIERS, saved

from vidcls.errors import CheckpointError
from vidcls.models import load_classifier, read_checkpoint

pytest.importorskip("transformers", reason="the extra transformers is not installed")

Command = Callable[..., object]
SIZES = {"resize_px": 32, "crop_px": 32}
WORDS = [
    "--model.weights",
    "DEFAULT",
    *(word for name, value in SIZES.items() for word in (f"--data.transform.{name}", str(value))),
    "--data.num_workers",
    "0",
    "--trainer.max_epochs",
    "1",
    "--trainer.limit_train_batches",
    "1",
]


def test_a_run_is_tested_predicted_with_packed_and_resumed_without_the_folder_of_its_backbone(
    vidcls: Command, clip_folder: Path, tmp_path: Path
) -> None:
    name, _ = saved(tmp_path / "mae", CLASSIFIERS["videomae"])
    data = ["--data", "video_folder", "--data.dataset.root", clip_folder, "--data.clip_len", "4"]
    words = ["fit", "--model", "Conv3D", "--model.backbone", name, *data, *WORDS, "--run", "mine"]
    fitted = vidcls(*words, "--model.transfer.lr_decay", "0.7", "--model.transfer.gradient_checkpointing", "true")
    assert fitted.status == 0, fitted
    (tmp_path / "mae").rename(tmp_path / "moved")
    checkpoint = Path("mine/checkpoints/best.ckpt")
    facts = read_checkpoint(checkpoint)
    assert facts.model_arguments["backbone"] == name
    assert facts.backbone_settings[name]["model_type"] == "videomae"
    tested = vidcls("test", "--run", "mine")
    assert tested.status == 0, tested
    video = next(clip_folder.rglob("*.avi"))
    assert vidcls("predict", "mine", video).status == 0
    assert vidcls("pack", "mine", "packed").status == 0
    assert "pip install transformers" in Path("packed/README.txt").read_text()
    packed, own = load_classifier("packed"), load_classifier("mine")
    clip = torch.randn(1, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(packed(clip), own(clip))
    resumed = vidcls("fit", "--run", "mine", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert resumed.status == 0, resumed

    content = torch.load(checkpoint, weights_only=True)  # a checkpoint that would have a folder read
    content["vidcls"]["backbones"] = {}
    content["hyper_parameters"]["backbone"] = f"hf/{tmp_path / 'moved'}"
    torch.save(content, "hostile.ckpt")
    with pytest.raises(CheckpointError, match=r"hostile\.ckpt.* without its settings"):
        load_classifier("hostile.ckpt")
    content["vidcls"]["backbones"] = {"hf/a": [1]}
    torch.save(content, "odd.ckpt")
    with pytest.raises(CheckpointError, match=r"odd\.ckpt.*cannot be used"):
        load_classifier("odd.ckpt")
