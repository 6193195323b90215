"""Losses and scores of a run -> an error in place of a result that is not a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vidcls.errors import CheckpointError, DivergedError, VidclsError
from vidcls.training.finite import FirstBad, bad_weight, what_to_try
from vidcls.types import ListsVideos, Split

if TYPE_CHECKING:
    from vidcls.models.scored_module import ScoredModule

READ_EVERY = 50  # steps, where nothing is logged


class FiniteGuard:
    """Ends a training at the first loss that is not finite, and a test at the first video without a finite score.

    On a CPU the step with such a loss ends the training before its gradients are computed. On another device to read a
    loss is to wait for it, so there it is read where Lightning waits anyway, every ``log_every_n_steps`` steps, and
    before a validation, the end of an epoch and a checkpoint: the error still names the first such step, and no
    checkpoint has its weights. With 16-bit floats only the loss counts: gradients that overflow are normal, and the
    scaler skips their step.

    Args:
        read_every_step: whether a loss is read in its step; None for a CPU alone.
    """

    def __init__(self, *, read_every_step: bool | None = None) -> None:
        self.read_every_step = read_every_step
        self.is_on = True
        """Off while a callback tries learning rates or batch sizes, some of which diverge."""
        self._losses, self._scores = FirstBad(), FirstBad()

    def start(self) -> None:
        """Forget what was noted before, and be on."""
        self._losses.reset()
        self._scores.reset()
        self.is_on = True

    def note_loss(self, model: ScoredModule, loss: Tensor) -> None:
        """Look at the loss of a step."""
        self._losses.note(loss, model.global_step)
        if self.read_every_step if self.read_every_step is not None else loss.device.type == "cpu":
            self.check_losses(model)

    def after_batch(self, model: ScoredModule, batch_idx: int) -> None:
        """Read the losses where the trainer logs."""
        if (batch_idx + 1) % (model.trainer.log_every_n_steps or READ_EVERY) == 0:  # type: ignore[attr-defined]
            self.check_losses(model)

    def check_losses(self, model: ScoredModule) -> None:
        """Raise DivergedError where a loss so far was not finite."""
        step = self._losses.least() if self.is_on else None
        if step is not None:
            where = f"at step {step} of epoch {model.current_epoch} (both counted from 0)"
            raise DivergedError(f"training diverged: the loss is not finite {where}: {_what_to_try(model)}")

    def check_weights(self, model: ScoredModule) -> None:
        """Raise DivergedError where a weight is not finite."""
        name = bad_weight(model) if self.is_on else None
        if name is not None:
            raise DivergedError(
                f"training diverged: {name} is not finite after {model.global_step} steps, and no checkpoint of it is "
                f"written: {_what_to_try(model)}"
            )

    def note_scores(self, values: Tensor, indices: Tensor | int) -> None:
        """Look at ``(B,)`` numbers of videos that are finite where their scores are, and at the videos' numbers."""
        self._scores.note(values, indices)

    def check_scores(self, model: ScoredModule, split: Split) -> None:
        """Raise where a video has a score that is not finite: DivergedError in a training, else CheckpointError."""
        index = self._scores.least() if self.is_on else None
        if index is not None:
            raise _without_scores(model, _video(model, split, index))


def _without_scores(model: ScoredModule, video: str) -> VidclsError:
    trainer = model.trainer
    if trainer.state.fn == "fit" and model.global_step > 0:
        after = f"after {model.global_step} steps"
        return DivergedError(f"training diverged: the scores of {video} are not finite {after}: {_what_to_try(model)}")
    source = f"{trainer.ckpt_path}: " if trainer.ckpt_path else ""
    weight = bad_weight(model)
    if weight is not None:
        reason = f"the weight {weight} is not, as after a training that diverged: use another checkpoint, or"
    else:
        reason = (
            f"the weights are, but sums of them overflow in {trainer.precision}: use --trainer.precision 32-true, or"
        )
    how = "train again with a lower --model.optimization.lr"
    return CheckpointError(f"{source}the scores of {video} are not finite; {reason} {how}")


def _video(model: ScoredModule, split: Split, index: int) -> str:
    data = getattr(model.trainer, "datamodule", None)
    return data.split(split)[index].name if isinstance(data, ListsVideos) else f"video {index}"


def _what_to_try(model: ScoredModule) -> str:
    trainer, optimization = model.trainer, model.optimization
    return what_to_try(
        lr=optimization.lr,
        warmup=optimization.warmup,
        gradient_clip_val=trainer.gradient_clip_val,
        precision=str(trainer.precision),
    )
