"""The training loss that can be compared with that of the validation."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from vidcls.models import TwoStream
from vidcls.training.losses import LossSettings
from vidcls.types import ClipSettings


def test_it_is_that_of_the_fused_answer_without_weights_smoothing_or_a_sum_of_streams(
    train_on: Callable[..., Trainer], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = TwoStream(
        class_names=["a", "b"],
        clip=ClipSettings(clip_len=1, flow_len=2),
        spatial="small",
        temporal="small",
        dropout=0.0,
        loss=LossSettings(label_smoothing=0.5, class_weights={"a": 9.0}),
    )
    streams = {"rgb": torch.randn(4, 3, 1, 32, 32), "flow": torch.randn(4, 2, 2, 32, 32)}
    labels = torch.tensor([0, 0, 1, 1])
    with torch.no_grad():
        answers = deepcopy(model).train()(streams["rgb"], streams["flow"])
    found = train_on(model, [{"streams": streams, "label": labels}], tmp_path).callback_metrics
    assert float(found["train/plain_loss"]) == pytest.approx(float(F.cross_entropy(answers, labels)), rel=1e-4)
    assert float(found["train/plain_loss_spread"]) == pytest.approx(0.0, abs=1e-3)
    assert float(found["train/loss"]) > float(found["train/plain_loss"])
