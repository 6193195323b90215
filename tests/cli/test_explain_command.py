"""``vidcls explain``: what is printed and written, and bad input."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import saved_run, video_data

from vidcls.cli import main
from vidcls.cli.explain import METHOD_NAMES
from vidcls.datasets import VideoFolder
from vidcls.explain import METHODS, Explainer
from vidcls.video_part import VideoPart


@pytest.fixture(scope="module")
def run_folder(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_run(tmp_path_factory.mktemp("run"), video_data(clip_dataset, clip_len=2))


@pytest.fixture(scope="module")
def video(clip_folder: Path) -> Path:
    return clip_folder / "test" / "left" / "0.avi"


def explain(*words: object) -> int:
    return main(["explain", *(str(word) for word in words), "--device", "cpu"])


def test_the_methods_of_the_help_are_those_that_there_are() -> None:
    assert METHOD_NAMES == METHODS


def test_a_run_and_a_video_give_a_picture_and_a_line(
    run_folder: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(run_folder, video, "--class", "right", "--output", tmp_path / "heat.png") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{video}  right 0." in lines[0]
    assert "heat: model" in lines[0]
    assert lines[1] == f"wrote {tmp_path / 'heat.png'} and {tmp_path / 'heat.npz'}"
    assert (tmp_path / "heat.png").is_file()


def test_without_an_output_the_picture_lies_in_the_current_folder(
    run_folder: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explain(run_folder, video) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heat.npz", "heat.png"]


def test_time_and_kernels_are_written_where_they_are_asked_for(
    run_folder: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(run_folder, video, "--over_time", tmp_path / "t.png", "--kernels", tmp_path / "k.png") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.npz", "k.png", "t.csv", "t.png"]
    assert "in the middle clip" in capsys.readouterr().out
    assert explain(run_folder, "--kernels", tmp_path / "only.png") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "heat.txt"], "suffix is '.txt'"),
        (["--output", "VIDEO.mp4", "--class", "nobody"], "class 'nobody'"),
        (["--layer", "nothing"], "--layer nothing"),
        (["--method", "magic"], "magic"),
        (["--kernels", "k.jpg"], "allowed are .png"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_nothing_is_written(
    run_folder: Path,
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explain(run_folder, video, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_video_there_is_nothing_to_explain(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(run_folder) == 2
    assert "pass a VIDEO" in capsys.readouterr().err


def test_a_video_is_not_overwritten_by_its_own_heat(
    run_folder: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "clip.mp4"
    copy.write_bytes(video.read_bytes())
    assert explain(run_folder, copy, "--output", copy) == 2
    assert copy.read_bytes() == video.read_bytes()
    assert "is one of the inputs" in capsys.readouterr().err


def test_a_part_of_a_video_is_explained_by_its_own_frames(
    run_folder: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--class", "right", "--output", tmp_path / "heat.png", "--over_time", tmp_path / "time.png")
    assert explain(run_folder, video, "--start", 0.08, "--end", 0.2, *words) == 0
    explanation = Explainer(run_folder, device="cpu")(video, class_name="right", part=VideoPart(0.08, 0.2))
    assert {frame for clip in explanation.clips for frame in clip.frames["rgb"]} <= {2, 3, 4}
    assert f"right {explanation.score:.4f}" in capsys.readouterr().out
