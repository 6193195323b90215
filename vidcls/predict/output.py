"""Predictions -> lines for people, and csv and json files for programs that grow as they come."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from vidcls.console import visible
from vidcls.errors import ConfigurationError, VidclsError
from vidcls.outputs import check_place
from vidcls.predict.prediction import Prediction
from vidcls.runs.score_files import SCORE_PREFIX
from vidcls.tasks.decision import UNKNOWN


def check_output(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Refuse a file that could not be written in the end, before anything is computed.

    Raises:
        ConfigurationError: its suffix names no format, it is a folder or one of the inputs, or its place cannot be
            written to.
    """
    if path.suffix.lower() not in WRITERS:
        raise ConfigurationError(f"--output {path}: suffix is {path.suffix!r}; allowed are {' and '.join(WRITERS)}")
    for place in (path, partial_path(path)):
        check_place(place, inputs, option="--output")


class PredictionFile:
    r"""A ``.csv`` or ``.json`` file of predictions, to which each is written as it comes.

    csv has the columns ``path,start_seconds,end_seconds,prediction,p_<class>...``; json has the same, the ``top_k``
    best classes by rank, and the failures. Scores are written in full, text as UTF-8; of a path that is not valid text
    the odd bytes stand as ``\udc..``.

    Until :meth:`finish` the rows are in ``NAME.partial.csv`` beside the file, so that what an interrupted command found
    is not lost and never taken for all there is::

        with PredictionFile(Path("scores.csv"), checkpoint, class_names, top_k=5) as file:
            for prediction in predictions:
                file.add(prediction)
            file.finish()

    Args:
        path: the file; an older one is replaced as a whole in the end. Nothing is made before there is a row.
        checkpoint: the file that was asked, or its address.
        class_names: K names in the order of the scores.
        top_k: number of best classes to name.

    Raises:
        VidclsError: by any method, where the file cannot be written; an older one of that name is untouched.
    """

    def __init__(self, path: Path, checkpoint: Path | str, class_names: Sequence[str], *, top_k: int) -> None:
        self.path = path
        self.partial = partial_path(path)
        self.num_rows = 0
        self._format = WRITERS[path.suffix.lower()](checkpoint, class_names, top_k)
        self._file: TextIO | None = None

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Where it was not finished, end the partial file so that it can be read."""
        if self._file is not None:
            with suppress(OSError):  # the error that brought us here is the one to tell
                self._file.write(self._format.tail([]))
                self._file.close()

    def add(self, prediction: Prediction) -> None:
        """Write one prediction; it is in the file when this returns."""
        with self._named():
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.partial.open("w", encoding="utf-8", errors="backslashreplace", newline="")
                self._file.write(self._format.head())
            self._file.write(self._format.row(prediction, is_first=self.num_rows == 0))
            self._file.flush()
        self.num_rows += 1

    def finish(self, failures: Sequence[tuple[Path | str, str]] = ()) -> None:
        """Give the file its name, where there is a row; ``failures`` are videos with the reason of each."""
        if self._file is None:
            return
        with self._named():
            self._file.write(self._format.tail(failures))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self.partial.replace(self.path)
        self._file = None

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise VidclsError(
                f"--output {self.path}: cannot be written ({error.strerror}); pass another place"
            ) from error


def partial_path(path: Path) -> Path:
    """Where the rows of a file are until it is whole: ``scores.csv`` -> ``scores.partial.csv``."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def table_line(
    prediction: Prediction, *, top_k: int, path_width: int, with_time: bool, with_answer: bool = False
) -> str:
    """One line: the file, its seconds where asked for, and the best classes, each with its score, in columns.

    Args:
        prediction: to show.
        top_k: number of best classes.
        path_width: of the column of files.
        with_time: whether the seconds are shown.
        with_answer: whether the classes that it is given stand before, where these may be several or none.
    """
    words = [f"{visible(str(prediction.path)):<{path_width}}"]
    if with_time:
        words.append(f"{prediction.start_seconds:7.2f} to {prediction.end_seconds:7.2f} s")
    class_width = max(len(visible(name)) for name in prediction.class_names)
    if prediction.is_unknown:
        words.append(f"{UNKNOWN}:")
    elif with_answer:
        words.append(f"{visible(prediction.answer)}:")
    words += [f"{visible(name):<{class_width}} {score:.3f}" for name, score in prediction.top(top_k)]
    return "  ".join(words)


class _Csv:
    """A header, a line for each prediction, and no word of failures."""

    def __init__(self, checkpoint: Path | str, class_names: Sequence[str], top_k: int) -> None:  # noqa: ARG002
        self.class_names = class_names

    def head(self) -> str:
        names = (SCORE_PREFIX + name for name in self.class_names)
        return _csv_line(["path", "start_seconds", "end_seconds", "prediction", *names])

    def row(self, prediction: Prediction, *, is_first: bool) -> str:  # noqa: ARG002
        times = prediction.start_seconds, prediction.end_seconds
        return _csv_line([prediction.path, *times, prediction.label, *prediction.scores])

    def tail(self, failures: Sequence[tuple[Path | str, str]]) -> str:  # noqa: ARG002
        return ""


class _Json:
    """One object, indented by two, whose list of predictions grows."""

    def __init__(self, checkpoint: Path | str, class_names: Sequence[str], top_k: int) -> None:
        self.checkpoint, self.class_names, self.top_k = checkpoint, class_names, top_k

    def head(self) -> str:
        start = _indented({"checkpoint": str(self.checkpoint), "class_names": list(self.class_names)}, "")
        return start.removesuffix("\n}") + ',\n  "predictions": ['

    def row(self, prediction: Prediction, *, is_first: bool) -> str:
        content = {
            "path": str(prediction.path),
            "start_seconds": prediction.start_seconds,
            "end_seconds": prediction.end_seconds,
            "prediction": prediction.label,
            "top": [{"class": name, "score": score} for name, score in prediction.top(self.top_k)],
            "scores": dict(zip(prediction.class_names, prediction.scores, strict=True)),
        }
        return ("" if is_first else ",") + "\n    " + _indented(content, "    ")

    def tail(self, failures: Sequence[tuple[Path | str, str]]) -> str:
        content = [{"path": str(path), "reason": reason} for path, reason in failures]
        return '\n  ],\n  "failures": ' + _indented(content, "  ") + "\n}\n"


def _indented(content: object, margin: str) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False).replace("\n", "\n" + margin)


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


WRITERS: dict[str, type[_Csv | _Json]] = {".csv": _Csv, ".json": _Json}
