"""A run -> one HTML file that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.groups import KnownGroups
from vidcls.errors import VidclsError
from vidcls.explain import Explainer
from vidcls.explain.pictures import heat_arrays
from vidcls.files import printable, write_arrays, write_csv, write_text
from vidcls.outputs import named_output
from vidcls.report.calibration_words import calibration_words
from vidcls.report.charts import (
    MOST_CELLS,
    calibration_chart,
    confusion_chart,
    curves_chart,
    heads_chart,
    views_chart,
)
from vidcls.report.html import rendered
from vidcls.report.links import link_to
from vidcls.report.statistics import calibration, class_rows, weakest
from vidcls.report.thresholds import as_json, class_thresholds, threshold_rows, weakest_class
from vidcls.report.thumbnails import still_and_heat
from vidcls.runs.confusions import (
    CONFUSION_COLUMNS,
    MOST_WITH_NAMES,
    MOST_WITH_NUMBERS,
    figure_cells,
    worst_confusions,
)
from vidcls.runs.estimates import NUM_DRAWS, estimates
from vidcls.runs.folder import PROBE_FILE
from vidcls.runs.probe_figure import read_heads
from vidcls.runs.reading import baseline_lines
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder
from vidcls.runs.summary import Summary, by_views
from vidcls.training.results import MODEL_ROW

TEMPLATE = "run.html"
NUM_SHOWN = 12
MOST_CLASSES_SHOWN = 60  # of more the page shows the weakest, and all of them on demand
NUM_WEAKEST = 50
NUM_CONFUSIONS = 20
CLASS_COLUMNS = ("class", "precision", "recall", "f1", "videos")
PathOf = Callable[[str], Path | None]
"""The name of a video in a test -> its file; None where it is not known."""


@dataclass(frozen=True)
class ShownVideo:
    """One thumbnail.

    Args:
        path: the name of the video.
        label: its class.
        prediction: what it was taken for.
        score: probability of that.
        still: data address of a frame; None where it could not be drawn, for which ``reason`` says why.
        heat: data address of the frames under their heat.
        reason: why there is no picture.
        arrays: the heat in numbers, see :func:`vidcls.explain.pictures.heat_arrays`.
        link: the address of the video, for a page that stays where it is written; None where it is not known.
    """

    path: str
    label: str
    prediction: str
    score: float
    still: str | None = None
    heat: str | None = None
    reason: str | None = None
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    link: str | None = None


def write_report(
    run: RunFolder,
    output: Path,
    *,
    explainer: Explainer | None,
    path_of: PathOf,
    progress: Callable[[list[int]], Iterable[int]] = iter,
    num_shown: int = NUM_SHOWN,
    has_links: bool = True,
) -> list[Path]:
    """Write the page of a tested run, and what its pictures show in numbers into a folder beside it.

    The folder is called like the page with ``_data`` behind: ``classes.csv``, ``calibration.csv``,
    ``thresholds.csv``, ``confusion.csv`` and ``worst_confusions.csv`` where a video has one class, ``views.csv`` where
    there are several, and ``heat.npz``.

    Args:
        run: see :func:`vidcls.runs.run.read_run`.
        output: the ``.html`` file.
        explainer: draws the heat of the shown videos; None leaves pictures out.
        path_of: finds their files.
        progress: wraps the list of shown videos in a bar.
        num_shown: mistakes, and as many hits.
        has_links: whether the names of videos lead to their files, for a page that is looked at where it is written.

    Returns:
        the files that were written.

    Raises:
        VidclsError: a file cannot be written; nothing half-written is left.
    """
    videos = run.videos
    wrong, unsure = videos.most_confident_errors(num_shown), videos.least_confident_correct(num_shown)
    shown = {k: _shown(videos, k, explainer, path_of) for k in progress([*wrong, *unsure])}
    if has_links:
        shown = {k: replace(video, link=link_to(path_of(video.path), output)) for k, video in shown.items()}
    found = calibration(videos)
    counts, rows, by_threshold = videos.confusion(), class_rows(videos), class_thresholds(videos)
    task = videos.task
    found_estimates, baselines = estimates(videos), task.baselines(videos.labels)
    found_by_views = by_views(run.summary, task.hit_metric)
    views = found_by_views if len(found_by_views) > 1 else None
    worst = [] if counts is None else worst_confusions(counts, videos.class_names)
    content = {
        "name": run.folder.resolve().name,
        "family": run.folder.resolve().parent.name,
        "run": run,
        "num_videos": len(videos),
        "estimates": found_estimates,
        "num_draws": NUM_DRAWS,
        "num_correct": int(videos.is_correct.sum()),
        "baselines": [
            line for e in found_estimates if e.name == task.hit_name for line in baseline_lines(e, baselines)
        ],
        "known_groups": KnownGroups.of(videos.groups),
        "classes": rows,
        "weakest": weakest(rows, NUM_WEAKEST) if len(rows) > MOST_CLASSES_SHOWN else None,
        "confusions": worst[:NUM_CONFUSIONS],
        "num_confusions": len(worst),
        "most_with_names": MOST_WITH_NAMES,
        "most_with_numbers": MOST_WITH_NUMBERS,
        "classes_per_cell": 1 if counts is None else figure_cells(counts, most_cells=MOST_CELLS).classes_per_cell,
        "tables": tables_beside(output).name,
        "streams": _streams(run.summary),
        "curves": curves_chart(run.curves, task),
        "heads": heads_chart(heads) if (heads := read_heads(run.folder / PROBE_FILE)) else None,
        "confusion": None if counts is None else confusion_chart(counts, videos.class_names),
        "calibration": found,
        "calibration_words": calibration_words(videos, run.summary.get("fusion")),
        "thresholds": as_json(by_threshold),
        "weakest_class": weakest_class(by_threshold),
        "calibration_chart": calibration_chart(found),
        "views": views,
        "views_chart": views_chart(views, task.hit_name.title) if views else None,
        "mistakes": [shown[k] for k in wrong],
        "hits": [shown[k] for k in unsure],
    }
    tables: dict[str, Iterable[Sequence[object]]] = {
        "classes": [CLASS_COLUMNS, *((r.name, r.precision, r.recall, r.f1, r.support) for r in rows)],
        "thresholds": threshold_rows(by_threshold),
        "calibration": [
            ("confidence", "accuracy", "videos"),
            *zip(found.confidence, found.accuracy, found.counts, strict=True),
        ],
    }
    if counts is not None:
        tables["confusion"] = chain([("label", *videos.class_names)], map(_named, videos.class_names, counts))
        tables["worst_confusions"] = [CONFUSION_COLUMNS, *map(astuple, worst)]
    if views:
        tables["views"] = [("views", task.hit_metric), *enumerate(views, start=1)]
    with named_output(output):
        files = _write_numbers(tables_beside(output), tables, shown)
        write_text(output, printable(rendered(TEMPLATE, content)))
    return [output, *files]


def tables_beside(output: Path) -> Path:
    """The folder with the numbers of a page."""
    return output.with_name(f"{output.stem}_data")


def _named(name: str, counts: NDArray[np.int64]) -> tuple[object, ...]:
    return name, *counts.tolist()


def _write_numbers(
    folder: Path, tables: Mapping[str, Iterable[Sequence[object]]], shown: Mapping[int, ShownVideo]
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for name, rows in tables.items():
        files.append(folder / f"{name}.csv")
        write_csv(files[-1], rows)
    heat = {f"{k}/{name}": values for k, video in shown.items() for name, values in video.arrays.items()}
    if heat:
        files.append(folder / "heat.npz")
        write_arrays(files[-1], heat)
    return files


def _shown(videos: ScoredVideos, number: int, explainer: Explainer | None, path_of: PathOf) -> ShownVideo:
    facts = (
        videos.paths[number],
        videos.label(number),
        videos.prediction(number),
        float(videos.confidence[number]),
    )
    if explainer is None:
        return ShownVideo(*facts, reason="no checkpoint to look with")
    path = path_of(facts[0])
    if path is None:
        return ShownVideo(*facts, reason="the file is not known")
    try:
        classes = videos.task.classes_of(videos.predictions[number])
        explanation = explainer(path, class_name=classes[0] if len(classes) == 1 else None)
    except VidclsError as error:
        return ShownVideo(*facts, reason=str(error))
    return ShownVideo(*facts, *still_and_heat(explanation), arrays=heat_arrays(explanation))


def _streams(summary: Summary) -> list[tuple[str, Mapping[str, float], bool]]:
    """Rows of the test's table: name, metrics, whether it is the model's answer; empty for a model of one stream."""
    table = summary.get("table")
    if not isinstance(table, dict) or len(table) < 2:
        return []
    fusion = summary.get("fusion")
    return [
        (name, metrics, name == fusion) for name, metrics in table.items() if name != MODEL_ROW or fusion not in table
    ]
