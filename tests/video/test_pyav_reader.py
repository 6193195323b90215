"""What PyAV leaves undecoded on the way to the frames that are asked for."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from contextlib import closing

import pytest
import torch
from torch import Tensor

from vidcls.video.pyav_reader import PyavReader


def counted(reader: PyavReader, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for every frame that comes out of the decoder."""
    seen: list[int] = []
    index_of = PyavReader._index_of
    monkeypatch.setattr(PyavReader, "_index_of", lambda self, frame: (seen.append(1), index_of(self, frame))[1])
    return seen


@pytest.mark.parametrize("kind", ["h264 with B-frames and a long GOP", "h264 with open GOPs", "h264 in ts"])
def test_frames_are_the_same_whatever_was_asked_for_before(kind: str, clip_of: Callable[[str], object]) -> None:
    path = clip_of(kind).path  # type: ignore[attr-defined]
    with closing(PyavReader(path)) as reader:
        num_frames = reader.num_frames
        whole: Tensor = reader.frames(range(num_frames))
    choice = random.Random(0)
    with closing(PyavReader(path)) as reader:
        for _ in range(60):
            wanted = [choice.randrange(num_frames) for _ in range(choice.randint(1, 5))]
            assert torch.equal(reader.frames(wanted), whole[wanted]), wanted
            start = choice.randrange(num_frames)
            run = range(start, min(start + choice.randint(1, 6), num_frames))
            assert torch.equal(reader.frames(run), whole[list(run)]), run


def test_a_frame_that_was_left_out_for_another_is_there_when_it_is_asked_for(clip_of: Callable[[str], object]) -> None:
    path = clip_of("h264 with B-frames and a long GOP").path  # type: ignore[attr-defined]
    with closing(PyavReader(path)) as reader:
        whole: Tensor = reader.frames(range(reader.num_frames))
    for index in range(1, len(whole) - 1):
        with closing(PyavReader(path)) as reader:
            assert torch.equal(reader.frames([index]), whole[[index]])
            assert torch.equal(reader.frames([index + 1]), whole[[index + 1]])


def test_frames_that_nothing_depends_on_are_not_decoded(
    clip_of: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip_of("h264 with B-frames and a long GOP").path  # type: ignore[attr-defined]
    with closing(PyavReader(path)) as reader:
        seen = counted(reader, monkeypatch)
        last = reader.num_frames - 1
        reader.frames([last])
    assert 0 < len(seen) < reader.num_frames
    with closing(PyavReader(path)) as reader:
        seen.clear()
        reader.frames(range(reader.num_frames))
    assert len(seen) == reader.num_frames


def test_a_file_that_is_read_chunk_by_chunk_is_decoded_once(
    clip_of: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip_of("h264 with B-frames and a long GOP").path  # type: ignore[attr-defined]
    with closing(PyavReader(path)) as reader:
        seen = counted(reader, monkeypatch)
        for first in range(0, reader.num_frames, 7):
            reader.frames(range(first, min(first + 7, reader.num_frames)))
        assert len(seen) == reader.num_frames


def test_requests_that_go_forward_decode_every_frame_at_most_twice(
    clip_of: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip_of("h264 with B-frames and a long GOP").path  # type: ignore[attr-defined]
    with closing(PyavReader(path)) as reader:
        whole: Tensor = reader.frames(range(reader.num_frames))
    with closing(PyavReader(path)) as reader:
        seen = counted(reader, monkeypatch)
        for first in range(0, reader.num_frames - 1, 3):  # one of three frames is left out
            assert torch.equal(reader.frames([first, first + 1]), whole[first : first + 2])
        assert len(seen) <= 2 * reader.num_frames


def test_a_reader_is_gone_with_its_last_user_and_its_converter_with_its_closing(
    clip_of: Callable[[str], object],
) -> None:
    """A converter that the garbage collector of a forked child takes down waits for threads that are not there."""
    path = clip_of("h264 with short GOPs at 29.97 fps").path  # type: ignore[attr-defined]
    gc.disable()
    try:
        reader = PyavReader(path)
        reader.frames([0, 5])
        assert reader._to_rgb is not None
        reader.close()
        assert reader._to_rgb is None
        gone = weakref.ref(reader)
        del reader
        assert gone() is None
    finally:
        gc.enable()
