"""A trainer in the middle of its work -> what the progress line can say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from lightning.pytorch import LightningModule, Trainer

from vidcls.callbacks.best_epoch import best_checkpoint, best_of
from vidcls.callbacks.pace import num_epochs
from vidcls.callbacks.progress_text import Progress
from vidcls.callbacks.run_facts import RunFacts
from vidcls.runs.curves import PLAIN_LOSS
from vidcls.tasks import HasTask


def progress_of(
    trainer: Trainer, *, place: str | None, seconds_left: float | None, has_scores: bool, ended: bool
) -> Progress:
    """How far a training is, and what it has reached.

    Args:
        trainer: that trains.
        place: within the epoch, such as ``12/24``.
        seconds_left: until the training ends; None where that is not known.
        has_scores: whether the scores of the last validation are to be shown.
        ended: whether the epoch has ended.
    """
    metrics = {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if has_scores or not name.startswith("val/")
    }
    score = _score_name(trainer)
    rate, waiting = _speed(trainer, ended=ended)
    total = num_epochs(trainer)
    rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
    device = trainer.strategy.root_device
    return Progress(
        epoch=trainer.current_epoch + 1,
        num_epochs=math.ceil(total) if math.isfinite(total) else None,
        place=place,
        loss=_loss(trainer.lightning_module, metrics),
        val_loss=metrics.get("val/loss") if score != "val/loss" else None,
        score_name=score.removeprefix("val/").replace("/", " ") if score != "val/loss" else "val loss",
        score=metrics.get(score),
        best=best_of(trainer),
        clips_per_second=rate,
        waiting_share=waiting,
        learning_rate=max(rates, default=0.0) or None,  # a schedule that has ended has none
        memory_bytes=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        seconds_left=None if ended and not seconds_left else seconds_left,
    )


def _loss(model: LightningModule, metrics: Mapping[str, float]) -> float | None:
    """The loss of the model's answer over the clips of the epoch so far, which a validation's can be compared with.

    What is minimised may be a sum over streams. The clips are those of this process: no other is asked.
    """
    losses = getattr(model, "plain_losses", None)
    if losses is not None and float(losses.num_clips) > 0:
        return float(losses.total / losses.num_clips)
    return metrics.get(PLAIN_LOSS, metrics.get("train/loss"))


def _score_name(trainer: Trainer) -> str:
    """The number that the best epoch is best at; where nothing watches one, the main metric of the task."""
    checkpoint = best_checkpoint(trainer)
    if checkpoint is not None and checkpoint.monitor is not None:
        return checkpoint.monitor
    model = trainer.lightning_module
    return f"val/{model.task.main_metric}" if isinstance(model, HasTask) else "val/loss"


def _speed(trainer: Trainer, *, ended: bool) -> tuple[float | None, float | None]:
    """Clips per second and the share of waiting: of the last seconds, or of the epoch where it has ended."""
    facts = next((callback for callback in trainer.callbacks if isinstance(callback, RunFacts)), None)  # type: ignore[attr-defined]
    times = None if facts is None else facts.epoch_times if ended else facts.shown_times
    return (times.clips_per_second, times.waiting_share) if times is not None else (None, None)
