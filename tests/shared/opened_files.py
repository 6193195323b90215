"""Which files a decoder opens, and by which decoder, while a test runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.video import VideoReader, reader
from vidcls.video.reader import Backend


def watch_decoders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """The decoders and files that are opened from now on, in order."""
    opened: list[tuple[str, Path]] = []

    def watched(name: Backend, decoder: Callable[[Path], VideoReader]) -> Callable[[Path], VideoReader]:
        def open_file(path: Path) -> VideoReader:
            opened.append((name, path))
            return decoder(path)

        return open_file

    for name, decoder in list(reader.BACKENDS.items()):
        monkeypatch.setitem(reader.BACKENDS, name, watched(name, decoder))
    return opened
