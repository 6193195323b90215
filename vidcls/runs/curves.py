"""``metrics.csv`` of a training -> its curves by optimiser step, and one metric of the validation by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

Curve = list[tuple[float, float]]
"""``(step, value)`` pairs."""

EPOCH = "epoch"  # the column of running epochs, from 0
DRAWN = ("train/", "val/", "lr-")
PLAIN_LOSS, PLAIN_LOSS_SPREAD = "train/plain_loss", "train/plain_loss_spread"
"""By epoch: the loss as ``val/loss`` counts it, for the model's answer to training clips, and its spread."""


def read_curves(metrics_csv: Path, *, drawn: tuple[str, ...] = DRAWN) -> dict[str, Curve]:
    """The ``(step, value)`` pairs of every column that has any.

    Args:
        metrics_csv: columns ``step``, and by name such as ``train/loss``, ``val/spatial_top1``, ``lr-SGD``; empty
            cells are left out.
        drawn: how the names of the wanted columns begin.

    Raises:
        OSError: it cannot be read.
        ValueError, TypeError, csv.Error: it is damaged.
    """
    curves: dict[str, Curve] = {}
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and row.get("step") and (name or "").startswith(drawn):
                    curves.setdefault(name, []).append((float(row["step"]), float(value)))
    return curves


def validation_curve(metrics_csv: Path, metric: str) -> tuple[tuple[int, float], ...]:
    """``(epoch, value)`` of a metric of the validation videos, epochs from 0; the last one of an epoch with several.

    Args:
        metrics_csv: see :func:`read_curves`.
        metric: its key, such as ``top1``.

    Raises:
        OSError: it cannot be read.
        ValueError, csv.Error: it is damaged.
    """
    column = f"val/{metric}"
    values: dict[int, float] = {}
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get(column) and row.get("epoch"):
                values[int(row["epoch"])] = float(row[column])
    return tuple(sorted(values.items()))
