"""Runs and costs by model -> one row a model, as csv, as plain types and as a table for a document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from vidcls.compare.cost import MIB, Cost, per_second
from vidcls.compare.improving import RULE
from vidcls.compare.results import RunResult, pooled
from vidcls.compare.spread import Spread, spread
from vidcls.files import csv_text
from vidcls.runs.estimates import Interval, mean_intervals
from vidcls.tasks import MetricName

Runs = Mapping[int, Sequence[RunResult]]
"""Seed -> its runs, one for each fold."""

UNKNOWN = "-"
MARK = "†"
EXACT = "‡"


@dataclass(frozen=True)
class ModelRow:
    """One model in the comparison; None where something is not known.

    Args:
        model: its name.
        class_path: of the model.
        streams: what it sees.
        num_seeds: trainings that the accuracies are means of.
        num_test_videos: of one seed, over all its folds.
        views: of a test video whose scores are averaged.
        metrics: those that the task compares, the main one first: mean and sample standard deviation over the seeds.
        intervals: of 95 % of their means, over groups of videos.
        parameters: trained and frozen ones.
        multiply_adds: for one clip.
        latency_ms: of one clip, median.
        inference_clips_per_second: in batches.
        training_clips_per_second: in batches: forwards, backwards and optimiser.
        training_peak_mib: memory of a training step.
        training_seconds: wall time of one training, mean over the runs.
        epochs: of one training, mean over the runs.
        still_improving: whether the budget ended while at least half of the runs got better.
    """

    model: str
    class_path: str
    streams: str
    num_seeds: int
    num_test_videos: int
    views: int
    metrics: Mapping[MetricName, Spread]
    intervals: Mapping[str, Interval | None]
    parameters: int | None
    multiply_adds: int | None
    latency_ms: float | None
    inference_clips_per_second: float | None
    training_clips_per_second: float | None
    training_peak_mib: float | None
    training_seconds: float | None
    epochs: float
    still_improving: bool | None


def model_row(name: str, runs_by_seed: Runs, cost: Cost | None, *, batch_size: int) -> ModelRow:
    """The row of one model.

    Args:
        name: of the model.
        runs_by_seed: whole seeds only.
        cost: None where it could not be measured.
        batch_size: of the throughputs.
    """
    runs = [run for folds in runs_by_seed.values() for run in folds]
    tests = [pooled(folds) for folds in runs_by_seed.values()]
    seconds = [run.train_seconds for run in runs]
    improving = [run.improving for run in runs if run.improving is not None]
    peak = cost.training_peak_bytes if cost else None
    return ModelRow(
        model=name,
        class_path=runs[0].class_path,
        streams="+".join(cost.clip_shapes) if cost else "",
        num_seeds=len(tests),
        num_test_videos=len(tests[0]),
        views=runs[0].num_views,
        metrics={name: spread([test.measured(name.key) for test in tests]) for name in tests[0].task.headline_names()},
        intervals=mean_intervals(tests),
        parameters=cost.num_parameters if cost else None,
        multiply_adds=cost.num_multiply_adds if cost else None,
        latency_ms=1e3 * statistics.median(cost.latency_seconds) if cost else None,
        inference_clips_per_second=per_second(cost.inference_seconds, batch_size) if cost else None,
        training_clips_per_second=per_second(cost.training_seconds, batch_size) if cost else None,
        training_peak_mib=peak / MIB if peak is not None else None,
        training_seconds=None if None in seconds else statistics.fmean(s for s in seconds if s is not None),
        epochs=statistics.fmean(run.num_epochs for run in runs),
        still_improving=2 * sum(improving) >= len(improving) if improving else None,
    )


def as_csv(rows: Sequence[ModelRow]) -> str:
    """All columns, with empty cells for what is not known."""
    lines = [plain(row) for row in rows]
    return csv_text([[*lines[0]], *(map(_cell, line.values()) for line in lines)])


def plain(row: ModelRow) -> dict[str, object]:
    """A row in plain types by the names of its columns.

    Each metric has four, such as ``top1_mean``, ``top1_std``, ``top1_low`` and ``top1_high``.
    """
    columns: dict[str, object] = {}
    for field in fields(ModelRow):
        if field.name == "metrics":
            for name, found in row.metrics.items():
                interval = row.intervals[name.key]
                low, high = (interval.low, interval.high) if interval else (None, None)
                columns |= {f"{name.key}_mean": found.mean, f"{name.key}_std": found.std}
                columns |= {f"{name.key}_low": low, f"{name.key}_high": high}
        elif field.name != "intervals":
            columns[field.name] = getattr(row, field.name)
    return columns


def table_cells(rows: Sequence[ModelRow]) -> list[tuple[str, ...]]:
    """The header of a table for a document, and a line for each model."""
    metrics = [title for name in rows[0].metrics for title in (f"{name.title} %", "95 % interval")]
    header = (
        "model", *metrics, "seeds", "sees", "views", "parameters", "multiply-adds", "latency ms",
        "inference clips/s", "training clips/s", "training memory MiB", "training min", "epochs",
    )  # fmt: skip
    return [header, *(_cells(row) for row in rows)]


def as_markdown(rows: Sequence[ModelRow], conditions: Sequence[str]) -> str:
    """The table for a document, with what it was made under below it.

    Args:
        rows: one for each model.
        conditions: lines such as the command and the machine.
    """
    header, *cells = table_cells(rows)
    lines = [header, ("---", *["---:"] * (len(header) - 1)), *cells]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    notes = [f"{MARK} {RULE}; at least half of its runs did so."] if any(row.still_improving for row in rows) else []
    return "\n".join([*table, "", *(f"{note}  " for note in (*notes, *conditions)), ""])


def as_text(rows: Sequence[ModelRow]) -> str:
    """The first columns, for a terminal."""
    main, *others = rows[0].metrics
    header = (
        "model", f"{main.short} %", "95 %", *(f"{name.short} %" for name in others), "seeds", "multiply-adds",
        "latency ms", "training clips/s",
    )  # fmt: skip
    after = 1 + 2 * len(rows[0].metrics)  # of the cells: two for each metric
    picked = (0, 1, 2, *range(3, after, 2), after, after + 4, after + 5, after + 7)
    lines = [header, *(tuple(_cells(row)[k] for k in picked) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    )


def _cells(row: ModelRow) -> tuple[str, ...]:
    return (
        row.model + (f" {MARK}" if row.still_improving else ""),
        *(
            text
            for name, found in row.metrics.items()
            for text in (percent(found.mean, found.std), _interval(row.intervals[name.key]))
        ),
        str(row.num_seeds),
        row.streams or UNKNOWN,
        str(row.views),
        short(row.parameters),
        short(row.multiply_adds),
        _number(row.latency_ms),
        _number(row.inference_clips_per_second),
        _number(row.training_clips_per_second),
        _number(row.training_peak_mib),
        _number(row.training_seconds and row.training_seconds / 60),
        f"{row.epochs:.4g}",
    )


def percent(mean: float, std: float | None) -> str:
    """``86.3 ± 1.2``, or the mean alone where there is one seed."""
    return f"{100 * mean:.1f}" + (f" ± {100 * std:.1f}" if std is not None else "")


def short(count: float | None) -> str:
    """``11.2 M`` for 11,176,512."""
    if count is None:
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{_number(count / size)} {unit}"
    return f"{count:.3g}"


def _interval(interval: Interval | None) -> str:
    """``40.1 to 61.2``."""
    if interval is None:
        return UNKNOWN
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}" + (f" {EXACT}" if interval.is_exact else "")


def _number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return UNKNOWN
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _cell(value: object) -> object:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
