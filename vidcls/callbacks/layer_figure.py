"""Statistics of layers by step -> a figure with a row for each layer, which is named, and a colour for each value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vidcls.figures import COLUMN_INCHES, png_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "dead": "dead ReLU units (share)",
    "saturated": "saturated outputs (share)",
    "activation_norm": "root mean square of activations",
    "gradient_norm": "norm of the gradient",
}
SHARES = ("dead", "saturated")
ROW_INCHES = 0.18  # of a name that can be read
MOST_NAMES = 60
MOST_LETTERS = 30  # of a name; the end says most


def layers_figure(rows: Sequence[Mapping[str, str | int | float | None]]) -> Figure:
    """One panel for each quantity under the other, the input's side at the top; white is a value of 0 or none.

    Every layer is named, or of more than 60 every second, third and so on, which the title says.

    Args:
        rows: of ``layers.csv``: ``step``, ``layer``, and the quantities, None where a layer has none.
    """
    layers = {column: _layers(rows, column) for column in TITLES}
    shown = {column: names for column, names in layers.items() if names}
    heights = [1.1 + ROW_INCHES * min(len(names), MOST_NAMES) for names in shown.values()]
    figure = png_figure(COLUMN_INCHES, max(2.0, sum(heights)))
    grid = figure.subplots(max(1, len(shown)), 1, squeeze=False, height_ratios=heights or [1])[:, 0]
    for axes, (column, names) in zip(grid, shown.items(), strict=False):
        _draw(axes, rows, column, names)
    return figure


def _draw(
    axes: Axes, rows: Sequence[Mapping[str, str | int | float | None]], column: str, names: Sequence[str]
) -> None:
    from matplotlib.colors import LogNorm, Normalize

    steps = sorted({_number(row["step"]) for row in rows if row[column] is not None})
    values = np.full((len(names), len(steps)), np.nan)
    row_of, column_of = {n: k for k, n in enumerate(names)}, {s: k for k, s in enumerate(steps)}
    for row in rows:
        if row[column] is not None:
            values[row_of[str(row["layer"])], column_of[_number(row["step"])]] = _number(row[column])
    norm: Normalize = Normalize(0, 1)
    if column not in SHARES:
        values[values <= 0] = np.nan
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (1.0, 1.0)
        norm = LogNorm(low, high if high > low else low * 1.01)
    mesh = axes.pcolormesh(_edges(steps), np.arange(len(names) + 1), values, cmap="viridis", norm=norm)
    axes.figure.colorbar(mesh, ax=axes, pad=0.02, fraction=0.08)
    axes.invert_yaxis()
    every = math.ceil(len(names) / MOST_NAMES)
    named = range(0, len(names), every)
    axes.set_yticks([k + 0.5 for k in named], [_short(names[k]) for k in named], fontsize=9)
    unnamed = f", {len(named)} of {len(names)} layers named" if every > 1 else ""
    same = f": {values.flat[0]:g} everywhere" if bool((values == values.flat[0]).all()) else ""
    axes.set_title(TITLES[column] + same + unnamed, fontsize=11, loc="right")
    axes.set_xlabel("optimiser step")


def _layers(rows: Sequence[Mapping[str, str | int | float | None]], column: str) -> list[str]:
    return list(dict.fromkeys(str(row["layer"]) for row in rows if row[column] is not None))


def _edges(steps: Sequence[float]) -> list[float]:
    """Steps -> the places between them, and one before and behind."""
    if len(steps) == 1:
        return [steps[0] - 0.5, steps[0] + 0.5]
    middles = [(a + b) / 2 for a, b in pairwise(steps)]
    return [2 * steps[0] - middles[0], *middles, 2 * steps[-1] - middles[-1]]


def _number(value: str | int | float | None) -> float:
    assert value is not None
    return float(value)


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"…{name[-(MOST_LETTERS - 1) :]}"
