"""A part of a network whose inner values are computed again on the way back, instead of being kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vidcls.layers.settings import BATCH_NORMS


def recomputed(part: nn.Module, x: Tensor) -> Tensor:
    """What ``part`` gives, with less memory and one more pass through it (Chen et al.: Training Deep Nets with
    Sublinear Memory Cost, 2016).

    Dropout draws the same in both passes, and the running averages of batch normalisations see the batch once.

    Args:
        part: a module of one input, which may be a tuple.
        x: its input.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), without_counting(part)

    return cast(Tensor, checkpoint(part, x, use_reentrant=False, context_fn=contexts))


@contextmanager
def without_counting(part: nn.Module) -> Iterator[None]:
    """Batch normalisations in training mode use the batch, and leave their running averages as they are."""
    modules = (module for module in part.modules() if isinstance(module, BATCH_NORMS) and module.training)
    norms = [(norm, norm.momentum, norm.num_batches_tracked) for norm in modules if norm.track_running_stats]
    for norm, _, count in norms:
        norm.momentum = 0.0  # without running averages at all it would keep other tensors than the first pass
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in norms:
            norm.momentum, norm.num_batches_tracked = momentum, count
