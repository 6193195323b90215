"""Effects of hiding, shuffling and reversing time -> a plot and the table behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidcls.explain.over_time import TimeEffects
from vidcls.figures import COLORS, COLUMN_INCHES, png_figure, save_png
from vidcls.files import write_csv
from vidcls.outputs import named_output


def write_time_effects(effects: TimeEffects, class_name: str, output: Path) -> list[Path]:
    """Write the plot (``.png``) and the numbers beside it (``.csv``: what, part, probability).

    Returns:
        the files that were written.

    Raises:
        VidclsError: a file cannot be written; nothing half-written is left.
    """
    from matplotlib.ticker import MaxNLocator

    figure = png_figure(COLUMN_INCHES, 3.4)
    axes, orders = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    parts = range(1, len(effects.hidden) + 1)
    axes.bar(parts, effects.hidden, color=COLORS[0])
    axes.axhline(effects.whole, color=COLORS[3], label="nothing hidden")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"part of time that is hidden, of {len(effects.hidden)}")
    axes.set_ylabel(f"probability of {class_name}")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")
    orders.axhline(effects.whole, color=COLORS[3])
    orders.bar([0], [effects.reversed], color=COLORS[0])
    orders.plot([1] * len(effects.shuffled), effects.shuffled, "o", color=COLORS[0], alpha=0.6)
    orders.set_xticks([0, 1], ["reversed", "shuffled"], rotation=30)
    orders.set_xlim(-0.6, 1.6)
    table = output.with_suffix(".csv")
    with named_output(output, option="--over_time"):
        save_png(figure, output)
        write_csv(table, _table(effects))
    return [output, table]


def _table(effects: TimeEffects) -> Iterator[Sequence[object]]:
    yield "what", "part", "probability"
    yield "whole", "", f"{effects.whole:.6f}"
    yield from (("hidden", part, f"{value:.6f}") for part, value in enumerate(effects.hidden, start=1))
    yield "reversed", "", f"{effects.reversed:.6f}"
    yield from (("shuffled", draw, f"{value:.6f}") for draw, value in enumerate(effects.shuffled, start=1))
