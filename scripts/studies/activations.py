"""Activations: how fast a net learns with each, and how many of its units are dead or saturated.

python scripts/studies/activations.py

Nair and Hinton 2010 (ReLU), Maas et al. 2013 (leaky ReLU), He et al. 2015 (PReLU). A small network without
normalisation on the digits of scikit-learn; at the higher learning rate units of ReLU die and those of tanh saturate.
"""

from __future__ import annotations

import torch
from digits import Classifier, Row, arguments, digits, train, write_rows
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vidcls.files import atomic_write
from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.activity import layer_activity
from vidcls.layers.settings import Activation

ACTIVATIONS: tuple[Activation, ...] = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu")
COLOURS = dict(zip(ACTIVATIONS, ("#999999", "#cc79a7", "#0072b2", "#009e73", "#d55e00"), strict=True))
LEARNING_RATES = (0.05, 0.2)


def main() -> None:
    options = arguments(__doc__ or "", num_epochs=12)
    images = digits(side_px=16)
    curves: list[Row] = []
    units: list[Row] = []
    for lr in LEARNING_RATES:
        for activation in ACTIVATIONS:
            torch.manual_seed(options.seed)
            layers = LayerSettings(norm="none", activation=activation, init="kaiming")
            network = Classifier(build_backbone("small", in_channels=1, layers=layers))
            rows = train(network, images, title=activation, num_epochs=options.num_epochs, lr=lr, seed=options.seed)
            curves += [{"lr": lr, **row} for row in rows]
            for depth, row in enumerate(layer_activity(network.eval(), images.test), start=1):
                shares = {"dead": row.dead_share, "saturated": row.saturated_share}
                units.append({"lr": lr, "run": activation, "layer": depth, "mean": row.mean, "std": row.std, **shares})
            print(f"lr {lr} {activation}: test error {rows[-1]['test_error']:.3f}")
    write_rows(curves, options.output / "activations.csv")
    write_rows(units, options.output / "activations_units.csv")
    figure = Figure(figsize=(11, 6), layout="constrained")
    for row_of_axes, lr in zip(figure.subplots(2, 3), LEARNING_RATES, strict=True):
        for activation in ACTIVATIONS:
            run = [row for row in curves if (row["lr"], row["run"]) == (lr, activation)]
            colour = COLOURS[activation]
            row_of_axes[0].plot(
                [row["epoch"] for row in run], [row["test_error"] for row in run], color=colour, label=activation
            )
            last = [row for row in units if (row["lr"], row["run"]) == (lr, activation)]
            for axes, share in zip(row_of_axes[1:], ("dead", "saturated"), strict=True):
                axes.plot([row["layer"] for row in last], [row[share] for row in last], "o-", color=colour)
        for axes, title in zip(row_of_axes, ("test error", "dead units", "saturated outputs"), strict=True):
            axes.set_title(f"{title}, learning rate {lr}", fontsize=10)
            axes.set_xlabel("epoch" if title == "test error" else "layer")
            axes.set_ylim(-0.03, 1.03)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    with atomic_write(options.output / "activations.png") as path:
        figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
