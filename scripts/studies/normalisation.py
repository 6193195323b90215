"""Normalisations: learning with batch, layer, instance, group and none, in batches of 64 and of 2.

python scripts/studies/normalisation.py

Ioffe and Szegedy 2015, Ba et al. 2016, Ulyanov et al. 2016; Wu and He: Group Normalization, ECCV 2018 (small batches
hurt batch normalisation). A plain network of 20 layers on the digits of scikit-learn.
"""

from __future__ import annotations

import torch
from digits import Classifier, Images, Row, arguments, digits, train, write_rows
from matplotlib.figure import Figure

from vidcls.files import atomic_write
from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.settings import Norm

NORMS: tuple[Norm, ...] = ("batch", "layer", "instance", "group", "none")
COLOURS = dict(zip(NORMS, ("#0072b2", "#009e73", "#cc79a7", "#d55e00", "#999999"), strict=True))
BATCHES = {64: 0.05, 2: 0.05 * 2 / 64}  # images in a batch -> learning rate, scaled as the batch is
NUM_TRAIN = 512


def main() -> None:
    options = arguments(__doc__ or "", num_epochs=8)
    whole = digits(side_px=16)
    images = Images(whole.train[:NUM_TRAIN], whole.train_labels[:NUM_TRAIN], whole.test, whole.test_labels)
    rows: list[Row] = []
    for batch_size, lr in BATCHES.items():
        for norm in NORMS:
            torch.manual_seed(options.seed)
            layers = LayerSettings(norm=norm, init="kaiming")
            network = Classifier(build_backbone("plain20", in_channels=1, layers=layers))
            run = train(
                network,
                images,
                title=norm,
                num_epochs=options.num_epochs,
                lr=lr,
                batch_size=batch_size,
                seed=options.seed,
            )
            rows += [{"batch_size": batch_size, **row} for row in run]
            print(f"batches of {batch_size}, {norm}: test error {run[-1]['test_error']:.3f}")
    write_rows(rows, options.output / "normalisation.csv")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, batch_size in zip(figure.subplots(1, 2, sharey=True), BATCHES, strict=True):
        for norm in NORMS:
            run = [row for row in rows if (row["batch_size"], row["run"]) == (batch_size, norm)]
            axes.plot(
                [row["epoch"] for row in run], [row["test_error"] for row in run], color=COLOURS[norm], label=norm
            )
        axes.set_title(f"batches of {batch_size}")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test error (share of images)")
    figure.axes[0].legend(title="norm")
    with atomic_write(options.output / "normalisation.png") as path:
        figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
