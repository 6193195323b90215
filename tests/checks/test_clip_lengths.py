"""How long videos are beside a clip: from an earlier check, or by a look at some that does no harm."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from vidcls.checks.cache import CheckCache, CheckedVideo, default_folder
from vidcls.checks.clip_lengths import ClipLengths, Length, clip_lengths
from vidcls.clips.settings import InputSettings
from vidcls.types import ClipSettings, VideoRecord, as_streams
from vidcls.video import write_video
from vidcls.video.health import examine
from vidcls.video.source import LocalFile

SETTINGS = InputSettings(as_streams(["rgb"]), ClipSettings(clip_len=3, stride=4))  # spans 9 frames

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere starting a process takes seconds")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def records(tmp_path: Path) -> list[VideoRecord]:
    """Of 5, 9 and 12 frames."""
    found = []
    for number in (5, 9, 12):
        write_video(tmp_path / f"{number}.avi", torch.zeros(number, 3, 16, 16, dtype=torch.uint8), codec="mjpeg")
        found.append(_record(tmp_path / f"{number}.avi"))
    return found


def _record(path: Path) -> VideoRecord:
    return VideoRecord(LocalFile(path), "a", "train", path.name)


def _frames(found: ClipLengths) -> Sequence[int]:
    return sorted(length.num_frames for length in found.lengths)


@linux
def test_videos_are_opened_and_compared_with_the_clip(records: list[VideoRecord]) -> None:
    found = clip_lengths(records, SETTINGS, most_seconds=60)
    assert _frames(found) == [5, 9, 12]
    assert (found.num_short, found.num_videos, found.spans) == (1, 3, (9, 9))


@linux
def test_of_many_some_are_opened(records: list[VideoRecord]) -> None:
    assert len(clip_lengths(records, SETTINGS, most_opened=2, most_seconds=60).lengths) == 2


def test_what_a_check_found_out_is_not_looked_at_again(records: list[VideoRecord]) -> None:
    cache = CheckCache(default_folder())
    for record in records[:2]:
        stamp = record.source.stamp()
        assert stamp is not None
        cache.add(record.source, CheckedVideo(*stamp, examine(record.source)))
    cache.save()
    assert _frames(clip_lengths(records, SETTINGS, most_opened=0)) == [5, 9]


@linux
def test_a_file_that_cannot_be_read_or_never_opens_is_passed_over(records: list[VideoRecord], tmp_path: Path) -> None:
    (tmp_path / "broken.avi").write_bytes(b"no video")
    broken = _record(tmp_path / "broken.avi")
    assert _frames(clip_lengths([*records, broken], SETTINGS, most_seconds=60)) == [5, 9, 12]
    os.mkfifo(tmp_path / "never.avi")
    never = _record(tmp_path / "never.avi")
    assert clip_lengths([never], SETTINGS, most_seconds=0.3).lengths == []
    assert _frames(clip_lengths(records, SETTINGS, most_seconds=60, unusable={records[0].source: "bad"})) == [9, 12]


def test_a_stride_in_seconds_spans_other_numbers_of_frames() -> None:
    settings = InputSettings(as_streams(["rgb"]), ClipSettings(clip_len=3), stride_seconds=0.2)
    found = ClipLengths([Length(10, 25.0), Length(10, 10.0)], 2, settings)
    assert (found.spans, found.num_short) == ((5, 11), 1)
