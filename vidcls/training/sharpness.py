"""Gradients of a batch -> weights a step up its loss, whose gradients lead to flat minima.

Foret, Kleiner, Mobahi, Neyshabur: Sharpness-Aware Minimization for Efficiently Improving Generalization, ICLR 2021
(arXiv:2010.01412): a step goes down the gradient at w + rho * g / |g|, where g is the gradient at w. It costs a second
pass through the batch. Deviation: in the paper each accelerator climbs the gradient of its own share of the batch;
under DDP all climb the mean of these gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def climbed(parameters: Iterable[nn.Parameter], rho: float) -> Iterator[None]:
    """Inside the block the weights are moved by ``rho`` along their gradient; after it they are restored exactly.

    Args:
        parameters: with their gradients; those without stay.
        rho: length of the move, the norm over all weights.
    """
    moved = [parameter for parameter in parameters if parameter.grad is not None]
    before = [parameter.detach().clone() for parameter in moved]
    gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    scale = rho / norm.clamp_min(torch.finfo(norm.dtype).tiny)  # where all are zero nothing moves
    with torch.no_grad():
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.addcmul_(gradient, scale.to(parameter))
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, weights in zip(moved, before, strict=True):
                parameter.copy_(weights)
