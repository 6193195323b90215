"""What the studies share: real images that ship with scikit-learn, a short training, files with the numbers."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from vidcls.files import write_text
from vidcls.layers import Backbone

DOCS = Path(__file__).resolve().parents[2] / "docs" / "studies"
PIXEL_MAX = 16.0  # of scikit-learn's digits
NUM_TEST = 500

Row = dict[str, str | float]


@dataclass(frozen=True)
class Images:
    """Pictures ``(N, 1, H, W)`` of zero mean and unit spread, and their labels ``(N,)``."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def digits(*, side_px: int, seed: int = 0) -> Images:
    """The 1797 handwritten digits of 8x8 px (Alpaydin and Kaynak 1998, UCI), enlarged; 500 of them for testing."""
    loaded = load_digits()
    images = torch.tensor(loaded.images, dtype=torch.float32).unsqueeze(1) / PIXEL_MAX  # (1797, 1, 8, 8)
    images = F.interpolate(images, size=(side_px, side_px), mode="bilinear", align_corners=False)
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(loaded.target)
    train, test = train_test_split(range(len(labels)), test_size=NUM_TEST, random_state=seed, stratify=labels)
    return Images(images[train], labels[train], images[test], labels[test])


class Classifier(nn.Module):
    """A backbone and a linear classifier."""

    def __init__(self, backbone: Backbone, num_classes: int = 10) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.num_features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` -> logits ``(B, K)``."""
        return self.head(self.backbone(images))


def train(
    network: nn.Module,
    images: Images,
    *,
    title: str,
    num_epochs: int,
    lr: float = 0.1,
    batch_size: int = 64,
    weight_decay: float = 1e-4,
    seed: int = 0,
    last_only: bool = False,
) -> list[Row]:
    """Stochastic gradient descent with momentum .9 and a cosine schedule; a row for each epoch, or for the last only.

    The training error is that of the last state of the epoch in evaluation mode, as the test error is. Normalisations
    without a trained parameter, that is in frozen stages, keep their statistics and use them.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=lr, momentum=0.9, weight_decay=weight_decay)
    num_batches = max(1, len(images.train_labels) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_epochs * num_batches)
    order = torch.Generator().manual_seed(seed)
    rows: list[Row] = []
    for epoch in tqdm(range(1, num_epochs + 1), desc=title, leave=False):
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
                module.eval()
        losses = []
        for batch in torch.randperm(len(images.train_labels), generator=order).split(
            min(batch_size, len(images.train_labels))
        )[:num_batches]:
            loss = F.cross_entropy(network(images.train[batch]), images.train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        if last_only and epoch < num_epochs:
            continue
        rows.append(
            {
                "run": title,
                "epoch": epoch,
                "train_loss": sum(losses) / len(losses),
                "train_error": error(network, images.train, images.train_labels),
                "test_error": error(network, images.test, images.test_labels),
            }
        )
    return rows


@torch.no_grad()
def error(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of wrong answers in evaluation mode."""
    network.eval()
    wrong = [network(x).argmax(dim=1) != y for x, y in zip(images.split(256), labels.split(256), strict=True)]
    return float(torch.cat(wrong).float().mean())


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """The numbers behind a picture, as a csv file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    write_text(path, text.getvalue())


def arguments(description: str, *, num_epochs: int | None = None) -> argparse.Namespace:
    """The options that all studies have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, default=DOCS, help="folder of the picture and its numbers")
    parser.add_argument("--seed", type=int, default=0)
    if num_epochs is not None:
        parser.add_argument("--num_epochs", type=int, default=num_epochs)
    return parser.parse_args()
