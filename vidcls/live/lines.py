"""Results of a live stream -> json lines, each complete when it is written, and lines for people."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from vidcls.console import visible
from vidcls.errors import VidclsError
from vidcls.live.live import LiveResult
from vidcls.tasks.decision import UNKNOWN


def json_line(result: LiveResult) -> str:
    """One object on one line, without the line's end.

    ``start_seconds`` and ``end_seconds`` count from the start of the stream; ``time`` is that of the last frame (UTC).
    """
    prediction = result.prediction
    content = {
        "source": str(prediction.path),
        "time": result.time.isoformat(timespec="milliseconds"),
        "start_seconds": round(prediction.start_seconds, 3),
        "end_seconds": round(prediction.end_seconds, 3),
        "prediction": prediction.label,
        "scores": dict(zip(prediction.class_names, prediction.scores, strict=True)),
        "lag_seconds": round(result.lag_seconds, 3),
        "windows_per_second": round(result.windows_per_second, 2),
        "num_skipped": result.num_skipped,
        "num_dropped": result.num_dropped,
    }
    return json.dumps(content)


def text_line(result: LiveResult, *, top_k: int) -> str:
    """The seconds, the best classes, the lag and the rate, in columns."""
    prediction = result.prediction
    width = max(len(visible(name)) for name in prediction.class_names)
    words = [f"{prediction.start_seconds:7.2f} to {prediction.end_seconds:7.2f} s"]
    words += [f"{UNKNOWN}:"] if prediction.is_unknown else []
    words += [f"{visible(name):<{width}} {score:.3f}" for name, score in prediction.top(top_k)]
    words.append(f"lag {result.lag_seconds:.2f} s, {result.windows_per_second:.1f} windows/s")
    if result.num_skipped:
        words.append(f"{result.num_skipped} skipped")
    return "  ".join(words)


class JsonLines:
    """A file of json lines that grows; an older one of that name is replaced with the first line.

    Args:
        path: the file.

    Raises:
        VidclsError: by :meth:`add`, where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # every line was flushed
                self._file.close()

    def add(self, result: LiveResult) -> None:
        """Write one line; it is in the file when this returns."""
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8")
            self._file.write(f"{json_line(result)}\n")
            self._file.flush()
        except OSError as error:
            raise VidclsError(
                f"--output {self.path}: cannot be written ({error.strerror}); pass another place"
            ) from error
