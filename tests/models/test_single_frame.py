"""SingleFrame: order cannot matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from vidcls.errors import ConfigurationError
from vidcls.models import SingleFrame
from vidcls.types import Batch, ClipSettings


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


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_videos_that_could_not_be_read_count_as_wrong_beside_the_others(model: SingleFrame) -> None:
    rgb = torch.randn(2, 3, 5, 24, 24)
    answers = model(rgb).argmax(dim=-1)
    batch = {"streams": {"rgb": rgb}, "label": answers, "index": torch.tensor([0, 3])}
    unread = [(1, 0, "b.mp4: bad"), (2, 2, "c.mp4: bad"), (4, None, "d.mp4: is left out")]
    model.validation_step({**batch, "unread": unread}, 0)  # type: ignore[typeddict-item]
    assert model.val_metrics.compute()["val/top1"] == 0.5  # two of four: the one that is left out does not count
    nothing = torch.empty(0, dtype=torch.long)
    model.validation_step({"label": nothing, "index": nothing, "unread": unread[:1]}, 1)  # type: ignore[typeddict-item]
    assert model.val_metrics.compute()["val/top1"] == pytest.approx(2 / 5)


def test_a_classifier_of_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two classes, got \['a'\]"):
        SingleFrame(class_names=["a"], clip=ClipSettings(), backbone="small")


def test_a_training_without_end_is_refused(model: SingleFrame) -> None:
    trainer = Trainer(max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigurationError, match=r"pass --trainer\.max_epochs or"):
        trainer.fit(model, DataLoader([torch.zeros(1)]))


@pytest.mark.parametrize(("together", "expected"), [(1, [False] * 4), (2, [False, True, False, True])])
def test_old_gradients_take_no_memory_in_the_forward_pass(
    model: SingleFrame,
    train_on: Callable[..., Trainer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    together: int,
    expected: list[bool],
) -> None:
    batches = [{"streams": {"rgb": torch.randn(2, 3, 5, 24, 24)}, "label": torch.tensor([0, 2])} for _ in range(4)]
    has_gradients: list[bool] = []
    step = SingleFrame.training_step

    def noted(self: SingleFrame, batch: Batch, batch_idx: int) -> torch.Tensor:
        has_gradients.append(any(parameter.grad is not None for parameter in self.parameters()))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(SingleFrame, "training_step", noted)
    train_on(model, batches, tmp_path, together=together)
    assert has_gradients == expected
