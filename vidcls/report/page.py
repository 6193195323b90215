"""A run -> one HTML file that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls import __version__
from vidcls.errors import VidclsError
from vidcls.explain import Explainer
from vidcls.files import write_text
from vidcls.report.charts import calibration_chart, confusion_chart, curves_chart, views_chart
from vidcls.report.run_folder import RunFolder
from vidcls.report.statistics import (
    accuracies,
    calibration,
    class_rows,
    confusion,
    least_sure_hits,
    surest_mistakes,
)
from vidcls.report.thumbnails import still_and_heat

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = "run.html"
NUM_SHOWN = 12
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
    """

    path: str
    label: str
    prediction: str
    score: float
    still: str | None = None
    heat: str | None = None
    reason: str | None = None


def write_report(
    run: RunFolder,
    output: Path,
    *,
    explainer: Explainer | None,
    path_of: PathOf,
    progress: Callable[[list[int]], Iterable[int]] = iter,
    num_shown: int = NUM_SHOWN,
) -> None:
    """Write the page of a tested run.

    Args:
        run: see :func:`vidcls.report.read_run`.
        output: the ``.html`` file.
        explainer: draws the heat of the shown videos; None leaves pictures out.
        path_of: finds their files.
        progress: wraps the list of shown videos in a bar.
        num_shown: mistakes, and as many hits.

    Raises:
        VidclsError: the file cannot be written; nothing half-written is left.
    """
    wrong, unsure = surest_mistakes(run.answers, num_shown), least_sure_hits(run.answers, num_shown)
    shown = {k: _shown(run, k, explainer, path_of) for k in progress([*wrong, *unsure])}
    found = calibration(run.answers)
    by_views = run.test.get("top1_by_views")
    content = {
        "name": run.folder.resolve().name,
        "family": run.folder.resolve().parent.name,
        "version": __version__,
        "run": run,
        "num_videos": len(run.answers.paths),
        "num_groups": run.answers.num_groups,
        "accuracies": accuracies(run.answers),
        "classes": class_rows(run.answers, run.class_names),
        "parts": _parts(run.test),
        "curves": curves_chart(run.curves),
        "confusion": confusion_chart(confusion(run.answers), run.class_names),
        "calibration": found,
        "calibration_chart": calibration_chart(found),
        "views": by_views if isinstance(by_views, list) and len(by_views) > 1 else None,
        "views_chart": views_chart(by_views) if isinstance(by_views, list) and len(by_views) > 1 else None,
        "mistakes": [shown[k] for k in wrong],
        "hits": [shown[k] for k in unsure],
    }
    try:
        write_text(output, _template().render(content))
    except OSError as error:
        raise VidclsError(f"--output {output}: cannot be written ({error}); give another place") from error


def _shown(run: RunFolder, number: int, explainer: Explainer | None, path_of: PathOf) -> ShownVideo:
    answers = run.answers
    facts = (
        answers.paths[number],
        run.class_names[answers.labels[number]],
        run.class_names[answers.predictions[number]],
        float(answers.scores[number].max()),
    )
    if explainer is None:
        return ShownVideo(*facts, reason="no checkpoint to look with")
    path = path_of(facts[0])
    if path is None:
        return ShownVideo(*facts, reason="the file is not known")
    try:
        still, heat = still_and_heat(explainer(path, class_name=facts[2]))
    except VidclsError as error:
        return ShownVideo(*facts, reason=str(error))
    return ShownVideo(*facts, still, heat)


def _parts(test: Mapping[str, object]) -> list[tuple[str, Mapping[str, float], bool]]:
    """Rows of the test's table: name, metrics, and whether it is the model's answer; empty for a model of one part."""
    table = test.get("table")
    if not isinstance(table, dict) or len(table) < 2:
        return []
    fusion = test.get("fusion")
    return [
        (name, metrics, name == fusion) for name, metrics in table.items() if name != "model" or fusion not in table
    ]


def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("vidcls.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f}"
    return environment.get_template(TEMPLATE)
