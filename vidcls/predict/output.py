"""Predictions -> lines for people, and csv and json files for programs, complete or not there at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidcls.errors import ConfigurationError, VidclsError
from vidcls.files import written_whole
from vidcls.types import Prediction


@dataclass(frozen=True)
class PredictionReport:
    """All that one command found.

    Args:
        checkpoint: the file that was asked.
        class_names: K names in the order of the scores.
        predictions: one for each video, or for each window of it.
        failures: videos that could not be predicted, each with the reason.
    """

    checkpoint: Path
    class_names: tuple[str, ...]
    predictions: list[Prediction] = field(default_factory=list)
    failures: list[tuple[Path, str]] = field(default_factory=list)


def check_output(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Refuse a file that could not be written in the end, before anything is computed.

    Raises:
        ConfigurationError: its suffix names no format, it is a folder or one of the inputs, or its place cannot be
            written to.
    """
    if path.suffix.lower() not in WRITERS:
        raise ConfigurationError(f"--output {path}: suffix is {path.suffix!r}; allowed are {' and '.join(WRITERS)}")
    if path.is_dir():
        raise ConfigurationError(f"--output {path}: this is a folder; give a file in it")
    check_place(path, inputs, option="--output")


def check_place(path: Path, inputs: Sequence[Path], *, option: str) -> None:
    """Refuse a path that is an input, or whose folder cannot be made or written to. ConfigurationError."""
    if os.path.realpath(path) in {os.path.realpath(video) for video in inputs}:
        raise ConfigurationError(f"{option} {path}: this is one of the inputs; give another name")
    folder = next(folder for folder in Path(os.path.abspath(path)).parents if folder.exists())  # noqa: PTH100
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{option} {path}: {folder} is no folder that can be written to; give another place")


def write_report(report: PredictionReport, path: Path, *, top_k: int) -> None:
    """Write all predictions to a ``.csv`` or ``.json`` file, which is replaced as a whole.

    csv has the columns ``path,start_seconds,end_seconds,prediction,p_<class>...``; json has the same, the ``top_k``
    best classes by rank, and the failures. Scores are written in full.

    Raises:
        VidclsError: the file cannot be written; an older one of that name is untouched.
    """
    text = WRITERS[path.suffix.lower()](report, top_k)
    try:
        with written_whole(path) as temporary:
            # A file name that is not valid text is written with its odd bytes as \udc..: readable, and valid json.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise VidclsError(f"--output {path}: cannot be written ({error.strerror}); give another place") from error


def table_line(prediction: Prediction, *, top_k: int, path_width: int, with_time: bool) -> str:
    """One line: the file, its seconds where asked for, and the best classes, each with its score, in columns."""
    words = [f"{printable(prediction.path):<{path_width}}"]
    if with_time:
        words.append(f"{prediction.start_seconds:7.2f} to {prediction.end_seconds:7.2f} s")
    class_width = max(len(name) for name in prediction.class_names)
    words += [f"{name:<{class_width}} {score:.3f}" for name, score in prediction.top(top_k)]
    return "  ".join(words)


def printable(path: Path) -> str:
    """A path as text that any terminal takes, though its name may not be valid text."""
    return str(path).encode(errors="backslashreplace").decode()


def _as_csv(report: PredictionReport, top_k: int) -> str:  # noqa: ARG001 - every class has its column
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "start_seconds", "end_seconds", "prediction", *(f"p_{name}" for name in report.class_names)]
    )
    for prediction in report.predictions:
        times = prediction.start_seconds, prediction.end_seconds
        writer.writerow([prediction.path, *times, prediction.label, *prediction.scores])
    return text.getvalue()


def _as_json(report: PredictionReport, top_k: int) -> str:
    content = {
        "checkpoint": str(report.checkpoint),
        "class_names": report.class_names,
        "predictions": [
            {
                "path": str(prediction.path),
                "start_seconds": prediction.start_seconds,
                "end_seconds": prediction.end_seconds,
                "prediction": prediction.label,
                "top": [{"class": name, "score": score} for name, score in prediction.top(top_k)],
                "scores": dict(zip(prediction.class_names, prediction.scores, strict=True)),
            }
            for prediction in report.predictions
        ],
        "failures": [{"path": str(path), "reason": reason} for path, reason in report.failures],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


WRITERS: dict[str, Callable[[PredictionReport, int], str]] = {".csv": _as_csv, ".json": _as_json}
