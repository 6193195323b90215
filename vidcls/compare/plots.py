"""Rows and curves of a comparison -> two pictures: accuracy against cost, and accuracy by epoch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.compare.results import RunResult
from vidcls.compare.spread import spread
from vidcls.compare.table import ModelRow, short
from vidcls.figures import COLUMN_INCHES, line_style, png_figure, save_png
from vidcls.files import write_csv
from vidcls.tasks import MetricName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS = {
    "multiply_adds": "multiply-adds for one clip",
    "latency_ms": "latency for one clip (ms)",
}


@dataclass(frozen=True)
class CurvePoint:
    """The main metric of one model on the validation videos after one epoch.

    Args:
        model: its name.
        epoch: finished epochs, from 1.
        num_runs: runs that came so far.
        mean: over these runs.
        std: sample standard deviation; None for one run.
    """

    model: str
    epoch: int
    num_runs: int
    mean: float
    std: float | None


def curve_points(model: str, runs: Sequence[RunResult]) -> list[CurvePoint]:
    """The mean over runs of the main metric of the validation, by epoch."""
    by_epoch: dict[int, list[float]] = {}
    for run in runs:
        for epoch, value in run.curve:
            by_epoch.setdefault(epoch, []).append(value)
    return [
        CurvePoint(model, epoch + 1, len(values), statistics.fmean(values), spread(values).std)
        for epoch, values in sorted(by_epoch.items())
    ]


def draw_accuracy_by_cost(rows: Sequence[ModelRow], path: Path, *, chance: float | None) -> None:
    """The main metric with its spread against each cost, on a logarithmic axis; the numbers are those of the table.

    Args:
        rows: one for each model; one without costs is not drawn.
        path: the ``.png`` file.
        chance: the metric of guessing, for a line; None for none.
    """
    main = next(iter(rows[0].metrics))
    figure = png_figure(COLUMN_INCHES, 3.9 * len(COSTS) + _legend_inches(len(rows)))
    for k, (name, label) in enumerate(COSTS.items(), start=1):
        axes = figure.add_subplot(len(COSTS), 1, k)
        _draw_chance(axes, chance)
        for position, row in enumerate(rows):
            cost = getattr(row, name)
            if cost is not None:
                _draw_point(axes, position, row, cost)
        _scale_costs(axes)
        axes.margins(x=0.1)
        axes.set_ylim(0, 104)
        axes.set_xlabel(label)
        axes.set_ylabel(f"{main.title} on the test split (%)")
        axes.set_title("mean and spread over seeds", fontsize=10)
        axes.grid(which="both", color="0.92")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    save_png(figure, path)


def draw_curves(
    points: Mapping[str, Sequence[CurvePoint]], path: Path, *, metric: MetricName, chance: float | None
) -> None:
    """The main metric of the validation by epoch, mean and band of one sample standard deviation.

    The numbers go into a csv file beside the figure.

    Args:
        points: of each model.
        path: the ``.png`` file.
        metric: what the points are values of.
        chance: the metric of guessing, for a line; None for none.
    """
    from matplotlib.ticker import MaxNLocator

    figure = png_figure(COLUMN_INCHES, 4.2 + _legend_inches(len(points)))
    axes = figure.add_subplot()
    _draw_chance(axes, chance)
    for position, (model, curve) in enumerate(points.items()):
        color, marker, line = line_style(position)
        epochs, means = [p.epoch for p in curve], [100 * p.mean for p in curve]
        over = min(3, len(points) - 1 - position)  # what lies under others is wider, so that it shows
        axes.plot(
            epochs,
            means,
            label=model,
            color=color,
            linestyle=line,
            linewidth=1.4 + 0.7 * over,
            marker=marker if len(epochs) <= 30 else "",
            markersize=4 + over,
        )
        low = [100 * (p.mean - (p.std or 0)) for p in curve]
        high = [100 * (p.mean + (p.std or 0)) for p in curve]
        axes.fill_between(epochs, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_ylim(0, 104)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"{metric.title} on the validation split (%)")
    axes.set_title("mean and spread over runs", fontsize=10)
    axes.grid(color="0.92")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    write_csv(path.with_suffix(".csv"), _rows(points, metric.key))
    save_png(figure, path)


def _legend_inches(num_entries: int) -> float:
    """The height of a legend of two columns."""
    return 0.3 + 0.22 * ((num_entries + 1) // 2)


def _draw_chance(axes: Axes, chance: float | None) -> None:
    if chance is not None:
        axes.axhline(100 * chance, color="0.5", linestyle="--", linewidth=1, label="chance")


def _scale_costs(axes: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    plain = FuncFormatter(lambda value, _: short(value))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,)))
    axes.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_minor_formatter(plain)


def _draw_point(axes: Axes, position: int, row: ModelRow, cost: float) -> None:
    color, marker, _ = line_style(position)
    found = next(iter(row.metrics.values()))
    mean, std = 100 * found.mean, 100 * found.std if found.std is not None else None
    name = row.model + (" †" if row.still_improving else "")
    axes.errorbar(
        [cost], [mean], yerr=std, color=color, marker=marker, markersize=8, capsize=4, linestyle="", label=name
    )


def _rows(points: Mapping[str, Sequence[CurvePoint]], key: str) -> Iterator[tuple[object, ...]]:
    yield "model", "epoch", "num_runs", f"val_{key}_mean", f"val_{key}_std"
    for curve in points.values():
        for p in curve:
            yield p.model, p.epoch, p.num_runs, f"{p.mean:.6g}", "" if p.std is None else f"{p.std:.6g}"
