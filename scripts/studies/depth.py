"""Plain against residual networks of 20 and 56 layers: a deeper plain net trains worse, shortcuts cure it.

python scripts/studies/depth.py

He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, figure 6, on the digits of scikit-learn.
"""

from __future__ import annotations

import torch
from digits import Classifier, Row, arguments, digits, train, write_rows
from matplotlib.figure import Figure

from vidcls.files import atomic_write
from vidcls.layers import build_backbone

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
COLOURS = {"20": "#0072b2", "56": "#d55e00"}  # told apart by those who do not see red and green


def main() -> None:
    options = arguments(__doc__ or "", num_epochs=12)
    images = digits(side_px=16)
    rows: list[Row] = []
    for name in NETWORKS:
        torch.manual_seed(options.seed)
        network = Classifier(build_backbone(name, in_channels=1))
        rows += train(network, images, title=name, num_epochs=options.num_epochs, lr=0.05, seed=options.seed)
        print(f"{name}: training error {rows[-1]['train_error']:.3f}, test error {rows[-1]['test_error']:.3f}")
    write_rows(rows, options.output / "depth.csv")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, family in zip(figure.subplots(1, 2, sharey=True), ("plain", "resnet"), strict=True):
        for depth, colour in COLOURS.items():
            run = [row for row in rows if row["run"] == f"{family}{depth}"]
            epochs = [row["epoch"] for row in run]
            axes.plot(
                epochs, [row["train_error"] for row in run], "--", color=colour, label=f"{depth} layers, training"
            )
            axes.plot(epochs, [row["test_error"] for row in run], color=colour, label=f"{depth} layers, test")
        axes.set_title({"plain": "plain", "resnet": "with shortcuts"}[family])
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylabel("error (share of images)")
    with atomic_write(options.output / "depth.png") as path:
        figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
