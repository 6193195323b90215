"""A network and a batch -> how alive the units of each activation are: spread, dead and saturated shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

SATURATED = 0.99
"""A tanh beyond plus or minus this, a sigmoid nearer than half of 1 - this to 0 or 1: hardly any gradient passes."""

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU, nn.Hardswish)


@dataclass(frozen=True)
class LayerActivity:
    """One activation over a batch; a unit is one channel, at all its places.

    Args:
        name: its place in the network.
        kind: its class, such as ``ReLU``.
        mean: of its outputs.
        std: of its outputs.
        dead_share: units whose output is zero, or below, at every place of every input, so that no gradient passes a
            ReLU there; 0 for activations that never reach zero on a side.
        saturated_share: outputs of a tanh or sigmoid at the flat ends; 0 for others.
    """

    name: str
    kind: str
    mean: float
    std: float
    dead_share: float
    saturated_share: float


def layer_activity(network: nn.Module, *inputs: Tensor) -> list[LayerActivity]:
    """The activations in the order in which they are applied; the network stays as it is, no gradient is kept.

    Args:
        network: any module; it runs in the mode in which it stands.
        inputs: what its ``forward`` takes, B inputs: the more, the surer that a unit is dead.
    """
    watch = ActivityWatch(network)
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        found = watch.end()
    return found


class ActivityWatch:
    """Notes every activation that a network applies from now on, until it is ended.

    Args:
        network: any module.
    """

    def __init__(self, network: nn.Module) -> None:
        self._found: list[LayerActivity] = []
        self._hooks = [
            module.register_forward_hook(lambda module, _i, output, name=name: self._note(name, module, output))
            for name, module in network.named_modules()
            if isinstance(module, ACTIVATIONS)
        ]

    def end(self) -> list[LayerActivity]:
        """Stop listening; what was heard, in the order in which it was applied."""
        for hook in self._hooks:
            hook.remove()
        return self._found

    def _note(self, name: str, module: nn.Module, output: Tensor) -> None:
        self._found.append(_activity(name, module, output))


def _activity(name: str, module: nn.Module, output: Tensor) -> LayerActivity:
    values = output.detach().float()
    units = values.transpose(0, 1).flatten(1)  # (C, B * places)
    dead = (units <= 0).all(dim=1) if isinstance(module, nn.ReLU | nn.ReLU6) else torch.zeros(1)
    saturated = torch.zeros(1)
    if isinstance(module, nn.Tanh):
        saturated = values.abs() > SATURATED
    elif isinstance(module, nn.Sigmoid):
        saturated = (2 * values - 1).abs() > SATURATED
    return LayerActivity(
        name=name,
        kind=type(module).__name__,
        mean=float(values.mean()),
        std=float(values.std()),
        dead_share=float(dead.float().mean()),
        saturated_share=float(saturated.float().mean()),
    )
