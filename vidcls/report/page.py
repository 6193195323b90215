"""A run -> one HTML file that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.groups import KnownGroups
from vidcls.explain import Explainer
from vidcls.files import printable, write_arrays, write_csv, write_text
from vidcls.outputs import named_output
from vidcls.report.calibration_words import calibration_words
from vidcls.report.charts import (
    MOST_CELLS,
    calibration_chart,
    confusion_chart,
    curves_chart,
    heads_chart,
    risk_chart,
    views_chart,
)
from vidcls.report.confidence import confidence_of
from vidcls.report.html import rendered
from vidcls.report.label_section import listed_videos
from vidcls.report.links import link_to
from vidcls.report.precision_recall import MOST_PANELS, precision_recall_chart
from vidcls.report.shown_video import PathOf, ShownVideo, shown_video, suspect
from vidcls.report.statistics import ClassRow, class_rows, weakest
from vidcls.report.thresholds import as_json, class_thresholds, threshold_rows, weakest_class
from vidcls.runs.calibration import calibration
from vidcls.runs.confusions import (
    CONFUSION_COLUMNS,
    MOST_WITH_NAMES,
    MOST_WITH_NUMBERS,
    figure_cells,
    worst_confusions,
)
from vidcls.runs.estimates import NUM_DRAWS, estimates
from vidcls.runs.folder import PROBE_FILE, name_and_start
from vidcls.runs.held_out import read_held_out
from vidcls.runs.label_issues import issue_rows
from vidcls.runs.probe_figure import read_heads
from vidcls.runs.reading import baseline_lines
from vidcls.runs.run import RunFolder
from vidcls.runs.selective import risk_coverage, unknown_test_in
from vidcls.runs.summary import Summary, by_views
from vidcls.types import MODEL_ROW

TEMPLATE = "run.html"
NUM_SHOWN = 12
MOST_CLASSES_SHOWN = 60  # of more the page shows the weakest, and all of them on demand
NUM_WEAKEST = 50
NUM_CONFUSIONS = 20
CLASS_COLUMNS = ("class", "precision", "recall", "f1", "videos")
COLUMNS_OF_SEVERAL = ("average_precision", "threshold")  # where a video may have several classes


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
    shown = {k: shown_video(videos, k, explainer, path_of) for k in progress([*wrong, *unsure])}
    if has_links:
        shown = {k: replace(video, link=link_to(path_of(video.path), output)) for k, video in shown.items()}
    held_out = read_held_out(run.folder)
    found, confidence = calibration(videos), confidence_of(run, held_out)
    listed = listed_videos(run, held_out)
    suspects = [(each, each.issues[:num_shown]) for each in listed]
    risk, unknown = risk_coverage(videos) if videos.task.has_one_class else None, unknown_test_in(run.summary)
    counts, rows, by_threshold = videos.confusion(), class_rows(videos), class_thresholds(videos)
    task = videos.task
    found_estimates, baselines = estimates(videos), task.baselines(videos.labels)
    found_by_views = by_views(run.summary, task.hit_metric)
    views = found_by_views if len(found_by_views) > 1 else None
    worst = [] if counts is None else worst_confusions(counts, videos.class_names)
    name, started = name_and_start(run.folder)
    content = {
        "name": name,
        "started": started,
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
        "most_panels": MOST_PANELS,
        "tables": tables_beside(output).name,
        "streams": _streams(run.summary),
        "curves": curves_chart(run.curves, task),
        "heads": heads_chart(heads) if (heads := read_heads(run.folder / PROBE_FILE)) else None,
        "precision_recall": None if task.thresholds is None else precision_recall_chart(videos, rows),
        "confusion": None if counts is None else confusion_chart(counts, videos.class_names),
        "calibration": found,
        "calibration_words": calibration_words(videos, run.summary.get("fusion"), of_members=run.is_ensemble),
        "thresholds": as_json(by_threshold),
        "weakest_class": weakest_class(by_threshold),
        "calibration_chart": calibration_chart(found),
        "confidence": confidence,
        "confidence_chart": calibration_chart(confidence.other) if confidence else None,
        "risk": risk,
        "risk_chart": None if risk is None else risk_chart(risk, unknown.kept if unknown else None),
        "unknown": unknown,
        "views": views,
        "views_chart": views_chart(views, task.hit_name.title) if views else None,
        "listed_issues": [
            (each, [suspect(each.videos, issue, explainer, path_of, output if has_links else None) for issue in some])
            for each, some in suspects
        ],
        "mistakes": [shown[k] for k in wrong],
        "hits": [shown[k] for k in unsure],
    }
    tables: dict[str, Iterable[Sequence[object]]] = {
        "classes": _class_table(rows),
        "thresholds": threshold_rows(by_threshold),
        "calibration": [
            ("confidence", "accuracy", "videos"),
            *zip(found.confidence, found.accuracy, found.counts, strict=True),
        ],
    }
    if listed:
        tables["label_issues"] = issue_rows([(each.name, each.issues) for each in listed])
    if risk is not None:
        tables["risk_coverage"] = [("coverage", "risk"), *zip(risk.coverage, risk.risk, strict=True)]
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


def _class_table(rows: Sequence[ClassRow]) -> Iterator[tuple[object, ...]]:
    has_several = any(row.average_precision is not None for row in rows)
    yield (*CLASS_COLUMNS, *COLUMNS_OF_SEVERAL) if has_several else CLASS_COLUMNS
    for r in rows:
        plain = (r.name, r.precision, r.recall, r.f1, r.support)
        yield (*plain, r.average_precision, r.threshold) if has_several else plain


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


def _streams(summary: Summary) -> list[tuple[str, Mapping[str, float], bool]]:
    """Rows of the test's table: name, metrics, whether it is the model's answer; empty for a model of one stream."""
    table = summary.get("table")
    if not isinstance(table, dict) or len(table) < 2:
        return []
    fusion = summary.get("fusion")
    return [
        (name, metrics, name == fusion) for name, metrics in table.items() if name != MODEL_ROW or fusion not in table
    ]
