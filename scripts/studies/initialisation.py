"""Initial weights: a constant keeps all units alike, a fixed spread lets signals vanish, Xavier and Kaiming keep them.

python scripts/studies/initialisation.py

Glorot and Bengio: Understanding the Difficulty of Training Deep Feedforward Neural Networks, AISTATS 2010;
He et al.: Delving Deep into Rectifiers, ICCV 2015. Nothing is trained: one batch of digits goes through a plain network
of 20 layers without normalisation, forth and back.
"""

from __future__ import annotations

from itertools import product

import torch
from digits import Classifier, Images, Row, arguments, digits, write_rows
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from vidcls.files import atomic_write
from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.activity import layer_activity
from vidcls.layers.settings import Activation, Init

INITS: tuple[Init, ...] = ("constant", "normal", "xavier", "kaiming")
ACTIVATIONS: tuple[Activation, ...] = ("tanh", "relu")
COLOURS = dict(zip(INITS, ("#999999", "#d55e00", "#0072b2", "#009e73"), strict=True))
NUM_IMAGES = 128
FLOOR = 1e-12  # where the logarithmic axis ends


def main() -> None:
    options = arguments(__doc__ or "")
    images = digits(side_px=16)
    rows: list[Row] = []
    for activation, init in product(ACTIVATIONS, INITS):
        torch.manual_seed(options.seed)
        layers = LayerSettings(norm="none", activation=activation, init=init)
        rows += through(Classifier(build_backbone("plain20", in_channels=1, layers=layers)), images, activation, init)
    write_rows(rows, options.output / "initialisation.csv")
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = [("std", "tanh"), ("std", "relu"), ("gradient", "relu"), ("different_units", "relu")]
    titles = [
        "spread of activations, tanh",
        "spread of activations, ReLU",
        "size of gradients, ReLU",
        "units that differ",
    ]
    for axes, (quantity, activation), title in zip(figure.subplots(1, 4), panels, titles, strict=True):
        for init in INITS:
            run = [row for row in rows if (row["activation"], row["init"]) == (activation, init)]
            values = [float(row[quantity]) for row in run]
            axes.plot([row["depth"] for row in run], values, "o-", markersize=3, color=COLOURS[init], label=init)
        if quantity != "different_units":
            axes.set_yscale("log")
            axes.set_ylim(bottom=FLOOR)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("layer")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    with atomic_write(options.output / "initialisation.png") as path:
        figure.savefig(path, dpi=120)


def through(network: Classifier, images: Images, activation: str, init: str) -> list[Row]:
    """A row for each layer: spread of activations, size of gradients, share of units with outputs of their own."""
    batch, labels = images.train[:NUM_IMAGES], images.train_labels[:NUM_IMAGES]
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    outputs: list[torch.Tensor] = []
    hooks = [m.register_forward_hook(lambda _m, _i, output: outputs.append(output.detach())) for m in convolutions]
    network.train()
    F.cross_entropy(network(batch), labels).backward()
    for hook in hooks:
        hook.remove()
    activities = layer_activity(network, batch)
    rows: list[Row] = []
    for depth, (activity, convolution, output) in enumerate(
        zip(activities, convolutions, outputs, strict=True), start=1
    ):
        assert convolution.weight.grad is not None
        rows.append(
            {
                "activation": activation,
                "init": init,
                "depth": depth,
                "std": max(activity.std, FLOOR),
                "gradient": max(float(convolution.weight.grad.norm()), FLOOR),
                "different_units": different(output),
            }
        )
    return rows


def different(output: torch.Tensor) -> float:
    """Of the C units of a layer ``(B, C, H, W)``, the share that no other unit before them equals."""
    units = output.transpose(0, 1).flatten(1)  # (C, B*H*W)
    scale = units.abs().max().clamp_min(FLOOR)
    return len(torch.unique((units / scale * 1e4).round(), dim=0)) / len(units)


if __name__ == "__main__":
    main()
