"""The rows of ``probe.csv`` -> names of the heads that tell them apart, and a figure of their scores."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.figures import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HeadRow = Mapping[str, str]
"""A line of ``probe.csv`` by column."""
SCORE, SCORE_OF_SEVERAL = "mean_class_accuracy", "map"
"""The column by which heads are compared, the latter where videos may have several classes."""
MOST_DRAWN = 24
ROW_INCHES = 0.4
SCALES = {"sqrt": ", roots", "unit": ", unit"}


def read_heads(probe_csv: Path) -> list[HeadRow]:
    """The candidates, the best first; none where there is no such file, or it is damaged."""
    try:
        with probe_csv.open(newline="", encoding="utf-8") as file:
            rows: list[HeadRow] = list(csv.DictReader(file))
        for row in rows:
            score_of(row), float(row["standard_error"]), int(row["weight"]), row["kind"]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return rows


def score_of(row: HeadRow) -> float:
    """What a head is compared by."""
    return float(row[SCORE_OF_SEVERAL if SCORE_OF_SEVERAL in row else SCORE])


def first_heads(rows: Sequence[HeadRow], most: int = MOST_DRAWN) -> list[HeadRow]:
    """The best candidates, those that were chosen, and the best of each kind and set of levels."""
    best = {(row["kind"], row["levels"]): k for k, row in reversed([*enumerate(rows)])}
    return [row for k, row in enumerate(rows) if k < most or int(row["weight"]) or k in best.values()]


def head_names(rows: Sequence[HeadRow], *, separator: str = ", ") -> list[str]:
    """What tells heads apart: levels, descriptors and places only where these differ."""
    tell = [part for part in ("levels", "descriptor", "places") if len({row[part] for row in rows if row[part]}) > 1]
    return [separator.join([_kind(row), *_pooling(row, tell)]) for row in rows]


def figure_height(rows: Sequence[HeadRow]) -> float:
    """In inches."""
    return 1.4 + ROW_INCHES * len(rows)


def draw_heads(axes: Axes, rows: Sequence[HeadRow], *, num_candidates: int, together: float | None = None) -> None:
    """A point with its standard error for each head, the best at the top; those that were chosen are diamonds.

    Args:
        axes: to draw on.
        rows: of the candidates that are shown.
        num_candidates: of all.
        together: the score of the chosen ones together, where there are several.
    """
    for place, row in enumerate(rows):
        is_chosen = int(row["weight"]) > 0
        axes.errorbar(
            score_of(row),
            place,
            xerr=float(row["standard_error"]),
            fmt="D" if is_chosen else "o",
            color=COLORS[3] if is_chosen else COLORS[0],
            capsize=2,
        )
    if together is not None:
        axes.axvline(together, color=COLORS[3], linestyle="--", label=f"the chosen ones together: {together:.3f}")
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), fontsize=9, frameon=False)
    axes.set_yticks(range(len(rows)), head_names(rows, separator="\n"), fontsize=8)
    axes.set_xlim(right=min(1.02, axes.get_xlim()[1]))
    axes.invert_yaxis()
    what = "mAP" if rows and SCORE_OF_SEVERAL in rows[0] else "mean class accuracy"
    axes.set_xlabel(f"{what}, held out\n(± standard error; {len(rows)} of {num_candidates} candidates)")
    axes.grid(axis="x", color="0.9")


def _kind(row: HeadRow) -> str:
    if not row["strength"]:
        return f"{row['kind']}, {row['num_epochs']} epochs"
    pca = f", {row['pca']} components" if row["pca"] not in ("0", "128") else ""
    return f"{row['kind']} C {row['strength']}{pca}{SCALES.get(row['scale'], '')}"


def _pooling(row: HeadRow, tell: Sequence[str]) -> Iterator[str]:
    if "levels" in tell:
        yield row["levels"]
    if "descriptor" in tell and row["descriptor"]:
        yield row["descriptor"] + (f" ({row['places']})" if "places" in tell else "")
