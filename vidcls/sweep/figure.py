"""The trials of a sweep -> ``sweep.csv``, ``importances.csv`` and ``sweep.png``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vidcls.figures import COLORS, COLUMN_INCHES, png_figure, save_png
from vidcls.files import write_csv
from vidcls.sweep.space import Space
from vidcls.sweep.study import Trial

TABLE_FILE = "sweep.csv"
IMPORTANCES_FILE = "importances.csv"
FIGURE_FILE = "sweep.png"
COLUMNS = ("trial", "state", "value", "seconds", "error")
COLOR_OF = {"complete": COLORS[0], "pruned": COLORS[1], "failed": COLORS[3]}


def write_trials(
    folder: Path,
    trials: Sequence[Trial],
    importances: Mapping[str, float],
    space: Space,
    *,
    monitor: str,
    maximises: bool,
) -> list[str]:
    """Write the files; their names.

    Args:
        folder: of the sweep.
        trials: in their order.
        importances: by option; no file where there are none.
        space: what was tried.
        monitor: what was optimised.
        maximises: whether more is better.
    """
    rows = [
        (t.number, t.state, "" if t.value is None else f"{t.value:.9g}", t.seconds, t.error, *map(t.values.get, space))
        for t in trials
    ]
    write_csv(folder / TABLE_FILE, [(*COLUMNS, *space), *rows])
    written = [TABLE_FILE]
    if importances:
        write_csv(
            folder / IMPORTANCES_FILE, [("option", "importance"), *((k, f"{v:.6f}") for k, v in importances.items())]
        )
        written.append(IMPORTANCES_FILE)
    if any(trial.value is not None for trial in trials):
        _draw(folder / FIGURE_FILE, trials, importances, monitor=monitor, maximises=maximises)
        written.append(FIGURE_FILE)
    return written


def best_so_far(trials: Sequence[Trial], *, maximises: bool) -> list[tuple[int, float]]:
    """The best value of the complete trials up to each, from the first of them on."""
    found: list[tuple[int, float]] = []
    for trial in trials:
        if trial.state == "complete" and trial.value is not None:
            best = max if maximises else min
            found.append((trial.number, trial.value if not found else best(found[-1][1], trial.value)))
    return found


def _draw(
    file: Path, trials: Sequence[Trial], importances: Mapping[str, float], *, monitor: str, maximises: bool
) -> None:
    num_panels = 2 if importances else 1
    figure = png_figure(COLUMN_INCHES, 3.2 + (1.0 + 0.35 * len(importances) if importances else 0.0))
    heights = [3.2, 1.0 + 0.35 * len(importances)][:num_panels]
    panels = figure.subplots(num_panels, 1, squeeze=False, height_ratios=heights)[:, 0]
    for state, color in COLOR_OF.items():
        points = [(trial.number, trial.value) for trial in trials if trial.state == state and trial.value is not None]
        if points:
            panels[0].plot(*zip(*points, strict=True), "o", color=color, label=state, markersize=5)
    best = best_so_far(trials, maximises=maximises)
    if best:
        panels[0].step(*zip(*best, strict=True), where="post", color=COLORS[6], label="best so far")
    panels[0].set(xlabel="trial", ylabel=f"{monitor} (best epoch)")
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    panels[0].legend(fontsize=8)
    if importances:
        names = list(importances)[::-1]
        panels[1].barh(names, [importances[name] for name in names], color=COLORS[0])
        panels[1].set(xlabel="importance (share of the variance, fANOVA)", xlim=(0, 1))
    save_png(figure, file)
