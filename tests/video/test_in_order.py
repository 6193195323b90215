"""Frames dealt to windows: each is decoded once, in order, and few are in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from vidcls.video import LocalFile, MemoryReader, write_video
from vidcls.video.in_order import in_order, open_in_order, open_to_share, shared
from vidcls.video.video_reader import Frames

NUM_FRAMES = 240


class CountingReader(MemoryReader):
    """A video whose frame t has the value t everywhere, and that keeps what it was asked for."""

    def __init__(self) -> None:
        frames = torch.arange(NUM_FRAMES, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
        super().__init__(frames)
        self.asked: list[int] = []

    def pixels(self, indices: Sequence[int]) -> Frames:
        self.asked += indices
        return super().pixels(indices)


def spread(first: int, window_len: int) -> list[int]:
    """Three clips of four frames: at the beginning, in the middle and at the end of a window."""
    starts = (first, first + window_len // 2, first + window_len - 4)
    return [start + k for start in starts for k in range(4)]


@pytest.mark.parametrize(("window_len", "hop"), [(40, 40), (40, 10), (40, 3), (12, 12)])
def test_every_frame_is_decoded_once_and_in_order_though_windows_overlap(window_len: int, hop: int) -> None:
    video = CountingReader()
    needed = [spread(first, window_len) for first in range(0, NUM_FRAMES - window_len + 1, hop)]
    most_held = 0
    for wanted, held in zip(needed, in_order(video, needed), strict=True):
        assert held.frames(wanted)[:, 0, 0, 0].tolist() == wanted
        most_held = max(most_held, len(held.held))
    assert video.asked == sorted({index for wanted in needed for index in wanted})
    assert most_held <= window_len


def test_what_is_kept_for_later_windows_is_bounded() -> None:
    video = CountingReader()
    needed = [spread(first, 40) for first in range(0, 200, 3)]
    one_frame = 3 * 2 * 2
    most_held = 0
    for wanted, held in zip(needed, in_order(video, needed, most_ahead_bytes=4 * one_frame), strict=True):
        assert held.frames(wanted)[:, 0, 0, 0].tolist() == wanted
        most_held = max(most_held, len(held.held))
    assert most_held <= 12 + 4
    assert len(video.asked) > len(set(video.asked))  # the price


def test_windows_are_planned_as_they_come() -> None:
    video = CountingReader()
    planned: list[int] = []

    def needed() -> Iterator[list[int]]:
        for first in range(0, 200, 20):
            planned.append(first)
            yield [first, first + 1]

    next(in_order(video, needed()))
    assert planned == [0, 20]
    assert video.asked == [0, 1]


def test_a_video_of_many_bytes_is_gone_through_by_a_decoder_that_does_not_decode_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, torch.zeros(20, 3, 32, 32, dtype=torch.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is no fault of the file
        with open_in_order(path) as video:
            assert video.backend == "decord"
        monkeypatch.setattr("vidcls.video.in_order.MOST_DECODED_BYTES", 20 * 3 * 32 * 32 - 1)
        with open_in_order(path) as video:
            assert video.backend == "pyav"
            assert video.frames([19]).shape == (1, 3, 32, 32)
        with open_in_order(path, "decord") as video:
            assert video.backend == "decord"


def test_a_video_of_many_bytes_is_not_kept_open_where_its_decoder_decodes_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, torch.zeros(20, 3, 32, 32, dtype=torch.uint8))
    with open_to_share(path) as given, shared(given, open_in_order) as video:
        assert video is given
    monkeypatch.setattr("vidcls.video.in_order.MOST_DECODED_BYTES", 20 * 3 * 32 * 32 - 1)
    with open_to_share(path) as given, shared(given, open_in_order) as video:
        assert given == LocalFile(path)
        assert video.backend == "pyav"
    with open_to_share(path, "pyav") as given:
        assert given != path
