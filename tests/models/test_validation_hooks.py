"""A validation keeps which of its videos were right, so that its score can have an interval."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from tests.shared.factories import video_data
from vidcls.datasets import VideoFolder
from vidcls.models import SingleFrame


def validated(root: Path) -> tuple[SingleFrame, float]:
    """The network after a validation, and the share of right videos that the metrics found."""
    data = video_data(VideoFolder(root), batch_size=2, bad_videos="skip", max_bad_share=0.9)
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.validate(model, data, verbose=False)
    return model, float(trainer.callback_metrics["val/top1"])


def test_the_share_of_right_videos_is_the_metric(clip_folder: Path) -> None:
    model, top1 = validated(clip_folder)
    assert sorted(model.validated) == [0, 1, 2]
    assert sum(model.validated.values()) / 3 == pytest.approx(top1)
    assert 0 < top1 < 1


def test_a_video_that_could_not_be_read_is_not_right(clip_folder: Path, tmp_path: Path) -> None:
    root = shutil.copytree(clip_folder, tmp_path / "clips")
    model, _ = validated(root)
    was_right = next(index for index, right in model.validated.items() if right)
    path = VideoFolder(root).split("val")[was_right].path
    assert path is not None
    path.write_bytes(b"no video")
    with pytest.warns(UserWarning, match="counts as wrong"):
        again, top1 = validated(root)
    assert again.validated == {**model.validated, was_right: False}
    assert top1 == pytest.approx(sum(again.validated.values()) / 3)
