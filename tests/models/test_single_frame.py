"""SingleFrame: order cannot matter."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from vidcls.errors import ConfigurationError
from vidcls.models import SingleFrame
from vidcls.types import ClipSettings


@pytest.fixture
def model() -> SingleFrame:
    torch.manual_seed(0)
    return SingleFrame(class_names=["a", "b", "c"], clip=ClipSettings(clip_len=5), backbone="small").eval()


def test_the_order_of_the_frames_does_not_matter(model: SingleFrame) -> None:
    rgb = torch.randn(2, 3, 5, 24, 24)
    shuffled = rgb[:, :, [3, 0, 4, 2, 1]]
    assert torch.allclose(model(rgb), model(shuffled), atol=1e-5)


def test_the_logits_of_a_clip_are_the_mean_of_those_of_its_frames(model: SingleFrame) -> None:
    rgb = torch.randn(2, 3, 5, 24, 24)
    by_frame = torch.stack([model(rgb[:, :, [t]]) for t in range(5)])
    assert torch.allclose(model(rgb), by_frame.mean(dim=0), atol=1e-5)


def test_a_classifier_of_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two classes, got \['a'\]"):
        SingleFrame(class_names=["a"], clip=ClipSettings(), backbone="small")


def test_a_training_without_end_is_refused(model: SingleFrame) -> None:
    trainer = Trainer(max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigurationError, match=r"give --trainer\.max_epochs or"):
        trainer.fit(model, DataLoader([torch.zeros(1)]))
