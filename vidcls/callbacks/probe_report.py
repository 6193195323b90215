"""What was tried for a probe -> ``probe.csv``, ``probe.png`` and the lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.files import printable, write_csv
from vidcls.probe import Choice
from vidcls.probe.table import COLUMNS
from vidcls.runs.folder import PROBE_FIGURE, PROBE_FILE
from vidcls.runs.probe_figure import (
    SCORE,
    SCORE_OF_SEVERAL,
    HeadRow,
    draw_heads,
    figure_height,
    first_heads,
    head_names,
)
from vidcls.runs.reading import reading_of_hits
from vidcls.tasks import Task
from vidcls.types import VideoRecord

NUM_SHOWN = 6


def write_choice(choice: Choice, run: Path, task: Task) -> None:
    """Write every candidate with its score on videos held out, the best first, and the best of them as a figure."""
    columns = [SCORE_OF_SEVERAL if c == SCORE and not task.has_one_class else c for c in COLUMNS]
    write_csv(run / PROBE_FILE, [columns, *(row.line() for row in choice.rows)])
    rows = first_heads(_rows(choice, columns))
    figure = png_figure(COLUMN_INCHES, figure_height(rows))
    together = choice.mean_class_accuracy if len(choice.settings) > 1 else None
    draw_heads(figure.add_subplot(), rows, num_candidates=len(choice.rows), together=together)
    save_png(figure, run / PROBE_FIGURE)


def choice_lines(
    choice: Choice, records: Sequence[VideoRecord], targets: NDArray[np.generic], task: Task
) -> Iterator[str]:
    """The best candidates and what was chosen, as a table; then what the score of the chosen is worth.

    Args:
        choice: what was found.
        records: the videos that heads were fitted to.
        targets: of these.
        task: says what is right.
    """
    rows = first_heads(_rows(choice), NUM_SHOWN)
    names = [printable(name) for name in head_names(rows)]
    width = max(map(len, names))
    what = "mean class accuracy" if task.has_one_class else "mAP"
    yield f"  {'head':{width}}  {what}, held out"
    for name, row in zip(names, rows, strict=True):
        score, error = float(row["mean_class_accuracy"]), float(row["standard_error"])
        yield f"  {name:{width}}  {score:.3f} ± {error:.3f}" + ("  <- chosen" if int(row["weight"]) else "")
    if len(choice.rows) > len(rows):
        yield f"  ... and {len(choice.rows) - len(rows)} more"
    chosen = f"{len(choice.settings)} heads together" if len(choice.settings) > 1 else "the chosen head"
    yield (
        f"held out: {chosen} {choice.mean_class_accuracy:.3f} {what}, optimistic as the best of them; "
        f"{choice.nested_accuracy:.3f} where each fold is scored by heads chosen on the others"
    )
    is_correct = task.is_correct(choice.probabilities, targets).astype(np.bool_)
    for line in reading_of_hits(task, targets, is_correct, [record.group for record in records]):
        yield f"  {printable(line)}"


def _rows(choice: Choice, columns: Sequence[str] = COLUMNS) -> list[HeadRow]:
    return [dict(zip(columns, row.line(), strict=True)) for row in choice.rows]
