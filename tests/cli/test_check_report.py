"""What ``vidcls data check`` prints of what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.findings import CheckedData, findings
from vidcls.cli.check_report import print_report
from vidcls.clips import InputSettings
from vidcls.types import VideoRecord
from vidcls.video import LocalFile
from vidcls.video.health import Health
from vidcls.video_part import VideoPart


def report(names: dict[str, Health]) -> None:
    records = [VideoRecord(LocalFile(Path(name)), "walk", "train", name) for name in names]
    known = {LocalFile(Path(name)): CheckedVideo(9, 9, health) for name, health in names.items()}
    data = CheckedData(records, known, InputSettings(streams=("rgb",)), has_labels=False)
    print_report(data, findings(data), [], num_opened=len(names), seconds=1.0, most_lines=10)


def health(num_unread: int = 0, **facts: object) -> Health:
    size = {"num_promised": 100, "num_frames": 100, "num_readable": 100 - num_unread, "num_unread": num_unread}
    return Health(**size, fps=25.0, height_px=4, width_px=4, codec="h264", decoder="decord", **facts)  # type: ignore[arg-type]


def test_a_video_that_was_read_in_part_is_not_said_to_be_read_whole(capsys: pytest.CaptureFixture[str]) -> None:
    report({"long.mp4": health(60, digest="a"), "short.mp4": health(digest="b")})
    lines = capsys.readouterr().out.splitlines()
    assert "  videos    2, of which 1 can be read whole; 1 read in part, too long for the time allowed" in lines
    assert "    long.mp4: 60 of 100 frames" in lines
    assert lines[-1].startswith("intact as far as it was read; 2 files opened")
    report({"short.mp4": health(digest="b")})
    lines = capsys.readouterr().out.splitlines()
    assert "  videos    1, of which 1 can be read whole" in lines
    assert lines[-1].startswith("intact; 1 files opened")


def test_names_of_strangers_make_no_lines_and_no_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    report({"a\nb\x1b[2J.mp4": Health("empty", "the file is empty"), "caf\udce9.mp4": Health("missing", "gone")})
    lines = capsys.readouterr().out.splitlines()
    assert "    a\\nb\\x1b[2J.mp4: the file is empty" in lines
    assert "    caf\\udce9.mp4: gone" in lines


def test_parts_count_by_their_own_frames_and_files_once(capsys: pytest.CaptureFixture[str]) -> None:
    whole = VideoRecord(LocalFile(Path("a.mp4")), "walk", "train", "a.mp4")
    records = [whole.with_part(part) for part in (VideoPart(0, 1), VideoPart(1, 2), VideoPart(50, 60, "frames"))]
    known = {whole.source: CheckedVideo(9, 9, health(num_bytes=1_000_000))}
    data = CheckedData(records, known, InputSettings(streams=("rgb",)), has_labels=False)
    print_report(data, findings(data), [], num_opened=1, seconds=1.0, most_lines=10)
    lines = capsys.readouterr().out.splitlines()
    assert "  frames    60; 10 to 25 in a part; a clip spans 1" in lines
    assert "  length    0.0 minutes, 1.0 MB" in lines
