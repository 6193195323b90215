"""``metrics.csv`` of a training -> its curves by optimiser step, and the validation accuracy by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

Curve = list[tuple[float, float]]
"""``(step, value)`` pairs."""

DRAWN = ("train/", "val/", "lr-")
VALIDATION_ACCURACY = "val/top1"


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


def validation_accuracy(metrics_csv: Path) -> tuple[tuple[int, float], ...]:
    """``(epoch, top-1)`` of the validation videos, epochs from 0; the last one of an epoch with several.

    Raises:
        OSError: it cannot be read.
        ValueError, csv.Error: it is damaged.
    """
    accuracies: dict[int, float] = {}
    with metrics_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get(VALIDATION_ACCURACY) and row.get("epoch"):
                accuracies[int(row["epoch"])] = float(row[VALIDATION_ACCURACY])
    return tuple(sorted(accuracies.items()))
