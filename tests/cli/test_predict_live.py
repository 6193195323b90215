"""``vidcls predict --source ... --live`` and ``--segments`` on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from factories import saved_run, video_data

from vidcls.cli import main
from vidcls.datasets import VideoFolder
from vidcls.video import open_video, write_video


@pytest.fixture(scope="module")
def run_folder(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_run(tmp_path_factory.mktemp("run"), video_data(clip_dataset))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    frames = torch.randint(0, 255, (12, 3, 40, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    write_video(path, frames, fps=10.0)
    return path


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def test_a_file_is_played_live_and_gives_json_lines_and_an_overlay(
    run_folder: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    windows = ["--window_seconds", 0.4, "--hop_seconds", 0.4]
    assert predict(run_folder, "--source", clip, "--live", *windows) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert rows
    assert rows[-1]["end_seconds"] == pytest.approx(1.2)
    assert {*rows[0]} >= {"source", "time", "prediction", "scores", "lag_seconds", "num_skipped", "num_dropped"}
    assert len(captured.err.splitlines()) == 1
    assert f"clip.mp4: {len(rows)} window" in captured.err
    assert "connected again 0 times" in captured.err
    output, overlay = tmp_path / "live.jsonl", tmp_path / "live.mp4"
    assert predict(run_folder, "--source", clip, "--live", *windows, "--output", output, "--overlay", overlay) == 0
    assert "lag" in capsys.readouterr().out
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert written[-1]["scores"] == rows[-1]["scores"]
    with open_video(overlay) as video:
        assert video.fps == 10.0
        assert video.num_frames <= 12


def test_a_source_that_cannot_be_had_is_one_line(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    assert predict(run_folder, "--source", tmp_path / "bad.mp4", "--live", "--output", tmp_path / "x.jsonl") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "bad.mp4: cannot be played (Invalid data found" in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]


def test_a_long_video_gives_segments(
    run_folder: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a network that nobody trained: one class has most of it at low thresholds."""
    low = ["--segment_enter", 0.01, "--segment_leave", 0.01, "--window_seconds", 0.5, "--hop_seconds", 0.1]
    assert predict(run_folder, clip, *low, "--segments", tmp_path / "s.csv") == 0
    assert len(capsys.readouterr().out.splitlines()) == 8
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["start", "end", "label", "score"]
    assert (rows[0]["start"], rows[-1]["end"]) == ("0.000", "1.200")
    for options, reason in (
        (("--segment_enter", 0.99), "below --segment_enter 0.99"),
        ((*low[:4], "--segment_shortest_seconds", 60), "too short"),
    ):
        capsys.readouterr()
        assert predict(run_folder, clip, *low[4:], *options, "--segments", tmp_path / "none.csv") == 0
        said = capsys.readouterr().err
        assert "none.csv: no segment was found: the highest score of a class is 0." in said
        assert said.endswith(f"{reason}\n")
    assert predict(run_folder, clip, *low, "--segments", tmp_path / "x.csv", "--output", tmp_path / "x.csv") == 2
    assert "--segments " in (said := capsys.readouterr().err)
    assert "x.csv: --output writes there; pass another name" in said
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    assert predict(run_folder, clip, other, *low, "--segments", tmp_path / "all") == 0
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["clip.mp4.csv", "other.mp4.csv"]
    assert (tmp_path / "all" / "clip.mp4.csv").read_text() == (tmp_path / "s.csv").read_text()
    assert predict(run_folder, clip, other, *low, "--segments", tmp_path / "xml", "--segment_format", "cvat") == 0
    assert "<source>clip.mp4</source>" in (tmp_path / "xml" / "clip.mp4.xml").read_text()
    capsys.readouterr()
    assert predict(run_folder, clip, *low, "--segments", tmp_path / "s.xml", "--segment_format", "fiftyone") == 2
    assert "--segment_format fiftyone has the suffix .json" in capsys.readouterr().err
