"""Which files a decoder opens, by which decoder, and which frames it is asked for, while a test runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from vidcls.video import VideoReader, reader
from vidcls.video.reader import Backend
from vidcls.video.video_reader import Frames


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


def watch_frames(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[int]]]:
    """The files whose frames a decoder is asked for from now on, with the indices, one entry for each time it is."""
    asked: list[tuple[Path, list[int]]] = []

    def watched(decoder: Callable[[Path], VideoReader]) -> Callable[[Path], VideoReader]:
        def open_file(path: Path) -> VideoReader:
            video = decoder(path)
            decode = video.pixels

            def pixels(indices: Sequence[int]) -> Frames:
                asked.append((path, list(indices)))
                return decode(indices)

            monkeypatch.setattr(video, "pixels", pixels)
            return video

        return open_file

    for name, decoder in list(reader.BACKENDS.items()):
        monkeypatch.setitem(reader.BACKENDS, name, watched(decoder))
    return asked
