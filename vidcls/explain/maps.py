"""A layer of a model -> its output as maps ``(N, C, H, W)`` or ``(N, C, T, H, W)``, which gradients pass through."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def tapped(layer: nn.Module) -> Iterator[nn.Module]:
    """A module whose output is that of ``layer`` as maps, while the layer is called inside the context.

    Transformers give tokens: ``(N, 1 + H*W, D)``, or with their grid ``((N, 1 + T*H*W, D), (T, H, W))``. Tokens in
    front of the grid, such as the class token, pass by the maps, as does whatever else a stage hands on beside them.
    """
    tap = nn.Identity()

    def through(_module: nn.Module, _inputs: object, output: Any) -> Any:
        first, *beside = output if isinstance(output, tuple) else (output,)
        if first.ndim != 3:
            return (tap(first), *beside) if beside else tap(first)
        tokens, grid = first, beside[0] if beside else None
        if grid is None:
            grid = (math.isqrt(tokens.shape[1]),) * 2
        num_front = tokens.shape[1] - math.prod(grid)
        maps = tap(tokens[:, num_front:].transpose(1, 2).unflatten(2, grid))  # (N, D, [T,] H, W)
        tokens = torch.cat([tokens[:, :num_front], maps.flatten(2).transpose(1, 2)], dim=1)
        return (tokens, grid) if isinstance(output, tuple) else tokens

    handle = layer.register_forward_hook(through)
    try:
        yield tap
    finally:
        handle.remove()


def in_order_of_time(maps: Tensor) -> Tensor:
    """Maps of one clip ``(N, C, H, W)`` or ``(N, C, T, H, W)`` -> ``(N*T, C, H, W)``."""
    return maps if maps.ndim == 4 else maps.transpose(1, 2).flatten(0, 1)
