"""Which stages of a network with given weights are trained, from when on, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TransferSettings:
    """What is kept of the weights that a network starts from.

    Args:
        freeze: the last stage, counted from the input, that keeps its weights; batch normalisation up to there stays in
            evaluation mode. ``all`` keeps every stage and trains only what comes after the backbone.
        unfreeze: epoch (from 0) -> the first stage that is trained from then on, and all after it.
        lr_decay: factor on the learning rate from each stage to the one before it, so that early stages move less.
        partial_batch_norm: all batch normalisations but the first stay in evaluation mode (TSN, Wang et al. 2016).
    """

    freeze: str | None = None
    unfreeze: dict[int, str] = field(default_factory=dict)
    lr_decay: float = 1.0
    partial_batch_norm: bool = False
