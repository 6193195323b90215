"""Losses, scores and weights -> the first that is not finite, found without making a GPU wait in every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

NONE = torch.iinfo(torch.int64).max


class FirstBad:
    """Remembers the least number of what was not finite.

    ``note`` leaves everything on the device of its values and reads nothing back, so that a GPU that is behind stays
    behind; ``least`` waits for it. A loss is therefore noted in every step and asked for now and then.
    """

    def __init__(self) -> None:
        self._least: Tensor | None = None

    def note(self, values: Tensor, numbers: Tensor | int) -> None:
        """Look at ``values`` ``(N,)``, or a scalar; ``numbers`` says which they are: ``(N,)`` int64, or one for all."""
        is_bad = ~torch.isfinite(values.detach())
        least = torch.where(is_bad, numbers, NONE).min()
        self._least = least if self._least is None else torch.minimum(self._least, least)

    def least(self) -> int | None:
        """The least number noted with a value that is not finite; None where all were finite."""
        least = NONE if self._least is None else int(self._least)
        return None if least == NONE else least

    def reset(self) -> None:
        """Forget what was noted."""
        self._least = None


def bad_weight(model: nn.Module) -> str | None:
    """The name of the first parameter that is not finite, or of the first buffer with a NaN; None where all are well.

    A buffer may hold infinities on purpose, as the mask of an attention does.
    """
    parameters = dict(model.named_parameters())
    if parameters and not torch.isfinite(get_total_norm(list(parameters.values()), float("inf"))):
        return next(name for name, value in parameters.items() if not torch.isfinite(value).all())
    buffers = {name: value for name, value in model.named_buffers() if value.is_floating_point()}
    if not buffers or not torch.isnan(get_total_norm(list(buffers.values()), float("inf"))):
        return None
    return next(name for name, value in buffers.items() if torch.isnan(value).any())


def what_to_try(*, lr: float, warmup: float, gradient_clip_val: float | None, precision: str) -> str:
    """What keeps a training from diverging, of that which is not done yet."""
    tries = [f"a lower --model.optimization.lr (now {lr:g})"]
    if warmup == 0:
        tries.append("--model.optimization.warmup 0.05")
    if not gradient_clip_val:
        tries.append("--trainer.gradient_clip_val 1")
    if precision.startswith("16"):
        tries.append(f"--trainer.precision bf16-mixed or 32-true in place of {precision}")
    return f"try {', '.join(tries[:-1])} or {tries[-1]}" if len(tries) > 1 else f"try {tries[0]}"
