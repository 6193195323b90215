"""The curves of a training -> panels of lines that can be compared, each with its legend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from vidcls.figures import line_style
from vidcls.runs.curves import EPOCH, PLAIN_LOSS, PLAIN_LOSS_SPREAD, Curve
from vidcls.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAME_SHARE = 0.002  # of the height of a panel: lines that are nearer to each other than that cannot be told apart
RATE_TITLE = "learning rate"
TRAINING_LOSS = "training, mean and spread of the steps (with dropout, averaged while it learns)"
LEGEND_LETTERS = 44  # in a line of a legend
EQUAL = " (equal)"  # behind the label of several lines in one
SPLIT_TITLES = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Args:
        label: for the legend.
        curve: what is drawn.
        spread: half the height of the band around each point; none where empty.
    """

    label: str
    curve: Curve
    spread: tuple[float, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Lines over one axis, no two of them the same.

    Args:
        title: what its height means.
        lines: in the order of the legend.
        is_share: whether values lie in 0 to 1.
        is_by_epoch: whether the positions of the points are epochs, from 1, and not optimiser steps.
        chance: what guessing reaches; None where that is not known.
    """

    title: str
    lines: tuple[Line, ...]
    is_share: bool = False
    is_by_epoch: bool = False
    chance: float | None = None


def curve_panels(curves: Mapping[str, Curve], task: type[Task] | Task) -> list[Panel]:
    """The panels of what a training logged, empty ones left out.

    The loss of training and validation is that of the model's answer, without weights, smoothing or sums over streams;
    what is minimised has a panel of its own. A run that logged no such loss has ``train/loss`` there alone.

    Args:
        curves: by name such as ``train/plain_loss``, ``val/loss``, ``val/spatial_top1``, ``lr-SGD``, and ``epoch``,
            which says to which epoch steps belong.
        task: says which metrics are drawn, and where it knows its classes what guessing reaches.
    """
    parts = [name[len("train/") : -len("_loss")] for name in curves if _is_part_loss(name)]
    spread = tuple(value for _, value in curves.get(PLAIN_LOSS_SPREAD, ()))
    losses = [(TRAINING_LOSS, PLAIN_LOSS, spread), ("validation", "val/loss", ())]
    minimised = [(f"sum of {' and '.join(parts)}" if parts else "training", "train/loss")]
    minimised += [(part, f"train/{part}_loss") for part in parts]
    split_metrics = [
        (f"{SPLIT_TITLES[split]}, {_metric(metric)}", f"{split}/{metric}")
        for metric, split in product(task.headline, SPLIT_TITLES)
    ]
    of_parts = [
        (f"validation, {_part(name, task.main_metric)} alone, {_metric(task.main_metric)}", name)
        for name in curves
        if name.startswith("val/") and name.endswith(f"_{task.main_metric}")
    ]
    panels = [
        _by_epoch(
            _panel("loss of the model's answer", [Line(s, curves[n], b) for s, n, b in losses if n in curves]),
            curves.get(EPOCH, ()),
        ),
        _panel("loss that is minimised, by step", [Line(s, curves[n]) for s, n in minimised if n in curves]),
        _by_epoch(
            replace(
                _panel(
                    task.quality,
                    [Line(s, curves[n]) for s, n in (*split_metrics, *of_parts) if n in curves],
                    is_share=True,
                ),
                chance=task.chance if isinstance(task, Task) else None,
            ),
            curves.get(EPOCH, ()),
        ),
        _panel(RATE_TITLE, [Line(name, curve) for name, curve in curves.items() if name.startswith("lr-")]),
    ]
    return [panel for panel in panels if panel.lines]


def draw_panel(axes: Axes, panel: Panel, *, black: str = "#000000") -> None:
    """Draw a panel with its legend under it: a colour and a marker for each line, and bands where lines have them.

    Args:
        axes: to draw on.
        panel: the lines.
        black: stands for black, on pages with colours of their own.
    """
    from textwrap import fill

    from matplotlib.ticker import MaxNLocator

    for position, line in enumerate(panel.lines):
        color, marker, dashes = line_style(position)
        color = black if color == "#000000" else color
        steps, values = zip(*line.curve, strict=True)
        over = min(3, len(panel.lines) - 1 - position)  # what lies under others is wider, so that it shows
        axes.plot(
            steps,
            values,
            dashes,
            color=color,
            linewidth=1.4 + 0.8 * over,
            marker=marker if len(line.curve) <= 30 else "",
            markersize=4 + 1.5 * over,
            label=fill(line.label, LEGEND_LETTERS),
        )
        if line.spread:
            low = [v - s for v, s in zip(values, line.spread, strict=False)]
            high = [v + s for v, s in zip(values, line.spread, strict=False)]
            axes.fill_between(steps[: len(low)], low, high, color=color, alpha=0.18, linewidth=0)
    if panel.chance is not None:
        label = f"guessing, {panel.chance:.3f}".rstrip("0").rstrip(".")
        axes.axhline(panel.chance, color="0.45", linewidth=1.2, linestyle=":", label=label)
    axes.set_title(panel.title, fontsize=11)
    axes.set_xlabel("epoch" if panel.is_by_epoch else "optimiser step")
    if panel.is_by_epoch:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="0.5", alpha=0.2)
    if panel.is_share:
        axes.set_ylim(-0.02, 1.04)
    axes.legend(fontsize=10, loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)


def _panel(title: str, lines: Sequence[Line], *, is_share: bool = False) -> Panel:
    """Lines that lie on top of each other are one, which is called like all of them."""
    values = [value for line in lines for _, value in line.curve]
    height = 1.0 if is_share or not values else max(values) - min(values)
    found: list[Line] = []
    for line in lines:
        same = next(
            (k for k, other in enumerate(found) if _is_same(line.curve, other.curve, SAME_SHARE * height)), None
        )
        if same is None:
            found.append(line)
        else:
            found[same] = replace(found[same], label=_both(found[same].label, line.label))
    return Panel(title, tuple(found), is_share)


def _both(one: str, other: str) -> str:
    """A label for two lines that lie on top of each other."""
    (what, _, first), (same, _, second) = one.partition(", "), other.partition(", ")
    if what == same and first and second:
        return f"{what}, {first.removesuffix(EQUAL)} and {second}{EQUAL}"
    return f"{one} = {other}"


def _by_epoch(panel: Panel, epochs: Sequence[tuple[float, float]]) -> Panel:
    """The panel with epochs from 1 in place of steps; as it is where one has no epoch, or a line several of one."""
    epoch_of = {step: epoch + 1 for step, epoch in epochs}
    steps = [[step for step, _ in line.curve] for line in panel.lines]
    if not all(set(of_line) <= epoch_of.keys() for of_line in steps):
        return panel
    if any(len({epoch_of[step] for step in of_line}) < len(of_line) for of_line in steps):
        return panel
    lines = (replace(line, curve=[(epoch_of[step], value) for step, value in line.curve]) for line in panel.lines)
    return replace(panel, lines=tuple(lines), is_by_epoch=True)


def _metric(key: str) -> str:
    """A metric as the legend calls it: ``top1`` is top-1."""
    return re.sub(r"^top(?=\d)", "top-", key).replace("_", " ")


def _is_same(one: Curve, other: Curve, tolerance: float) -> bool:
    return [step for step, _ in one] == [step for step, _ in other] and all(
        abs(a - b) <= tolerance for (_, a), (_, b) in zip(one, other, strict=True)
    )


def _is_part_loss(name: str) -> bool:
    return name.startswith("train/") and name.endswith("_loss") and name != PLAIN_LOSS


def _part(name: str, metric: str) -> str:
    return name[len("val/") : -len(metric) - 1]
