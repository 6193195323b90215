"""A checkpoint and its graph -> what their exported file says of itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.export.graph import ScoringGraph
from vidcls.export.parity import Precision
from vidcls.model_file import ModelFacts
from vidcls.runs.summary import read_summary

if TYPE_CHECKING:
    from vidcls.models import VideoClassifier


def facts_of(
    checkpoint: Path, run: Path | None, model: VideoClassifier, graph: ScoringGraph, precision: Precision
) -> ModelFacts:
    """Classes, input, rows, fixed sizes, where it comes from, and the table of its test where it has one."""
    height, width = graph.settings.transform.crop_size
    clip = graph.settings.clip
    return ModelFacts(
        model=type(model).__name__,
        class_names=model.class_names,
        input=graph.settings,
        rows=graph.row_names,
        task=model.task.name,
        precision=precision,
        fixed={"T": clip.num_snippets * clip.clip_len, "height": height, "width": width},
        checkpoint={"digest": _digest(checkpoint), "run": run.name if run is not None else ""},
        results=_test_results(run, checkpoint),
        decision=model.decision,
    )


def _test_results(run: Path | None, checkpoint: Path) -> dict[str, object]:
    """The test's table, where the run was tested with this checkpoint."""
    if run is None:
        return {}
    try:
        summary = read_summary(run)
    except (OSError, ValueError):
        return {}
    if Path(str(summary.get("checkpoint"))).name != checkpoint.name:
        return {}
    return {"test": {name: summary.get(name) for name in ("num_videos", "num_correct", "intervals", "table")}}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
