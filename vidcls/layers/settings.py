"""Words of a configuration -> normalisation, activation and initial weights of a network that we define."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

Norm = Literal["batch", "layer", "instance", "group", "none"]
Activation = Literal["relu", "leaky_relu", "prelu", "sigmoid", "tanh"]
Init = Literal["constant", "normal", "xavier", "kaiming"]

CONSTANT = 0.01  # every weight, in "constant"
NORMAL_STD = 0.01  # AlexNet's, in "normal" (Krizhevsky et al. 2012)
LEAKY_SLOPE = 0.01
NUM_GROUPS = 8  # in "group", fewer where the channels do not divide
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)  # which keep running averages


@dataclass(frozen=True)
class LayerSettings:
    """What the layers of our own backbones are made of; None means what the network's paper has.

    Args:
        norm: normalisation between convolution and activation: ``batch`` (Ioffe and Szegedy 2015), ``layer`` (Ba et al.
            2016, over channels and places), ``instance`` (Ulyanov et al. 2016), ``group`` (Wu and He 2018), ``none``.
            All have a trained gamma and beta.
        activation: ``relu``, ``leaky_relu`` (slope .01), ``prelu``, ``sigmoid`` or ``tanh``.
        init: initial weights: ``constant`` (.01 everywhere, so that all units stay alike), ``normal`` (deviation .01
            in every layer), ``xavier`` (Glorot and Bengio 2010) or ``kaiming`` (He et al. 2015). Biases are zero.
    """

    norm: Norm | None = None
    activation: Activation | None = None
    init: Init | None = None

    def __post_init__(self) -> None:
        """Refuse words that are none of these."""
        for field, word, words in (
            ("norm", self.norm, NORMS),
            ("activation", self.activation, ACTIVATIONS),
            ("init", self.init, INITS),
        ):
            if word is not None and word not in words:
                raise ValueError(f"layers.{field} is {word!r}: use one of {', '.join(words)}, or remove it")

    def make_norm(self, num_channels: int, own: Callable[[int], nn.Module], *, in_3d: bool = False) -> nn.Module:
        """The normalisation over ``num_channels``, over clips where ``in_3d``; ``own(num_channels)`` is the paper's."""
        if self.norm is None:
            return own(num_channels)
        if self.norm == "batch" and in_3d:
            return nn.BatchNorm3d(num_channels)
        return NORMS[self.norm](num_channels)  # the others take any number of axes

    def make_activation(self, own: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
        """A new activation; ``own()`` is the paper's."""
        return own() if self.activation is None else ACTIVATIONS[self.activation]()

    def initialise(self, network: nn.Module) -> None:
        """Set the weights of every convolution and fully connected layer, in place; nothing where ``init`` is None."""
        if self.init is None:
            return
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                INITS[self.init](module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _group_norm(num_channels: int) -> nn.Module:
    num_groups = next(n for n in range(min(NUM_GROUPS, num_channels), 0, -1) if num_channels % n == 0)
    return nn.GroupNorm(num_groups, num_channels)


NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda num_channels: nn.GroupNorm(1, num_channels),
    "instance": lambda num_channels: nn.GroupNorm(num_channels, num_channels),
    "group": _group_norm,
    "none": lambda _num_channels: nn.Identity(),
}

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(LEAKY_SLOPE),
    "prelu": nn.PReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}

INITS: dict[Init, Callable[[torch.Tensor], torch.Tensor]] = {
    "constant": lambda weight: nn.init.constant_(weight, CONSTANT),
    "normal": lambda weight: nn.init.normal_(weight, std=NORMAL_STD),
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
}
