"""``vidcls predict``: what is printed and written, and what the exit status says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from factories import saved_run, video_data

from vidcls.cli import main
from vidcls.datasets import VideoFolder
from vidcls.predict import Predictor
from vidcls.predict.prediction import Prediction
from vidcls.video import open_video, write_video
from vidcls.video_part import VideoPart


@pytest.fixture(scope="module")
def run_folder(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_run(tmp_path_factory.mktemp("run"), video_data(clip_dataset))


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with two clips of 12 frames, 10 per second."""
    frames = torch.randint(0, 255, (12, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    write_video(tmp_path / "videos" / "a.avi", frames, codec="mjpeg", fps=10)
    write_video(tmp_path / "videos" / "deep" / "b.avi", frames.flip(0) // 2, codec="mjpeg", fps=10)
    return tmp_path / "videos"


def predict(*words: object) -> int:
    return main(["predict", *(str(word) for word in words), "--device", "cpu"])


def test_a_folder_gives_a_line_for_each_video_and_a_csv_with_the_scores_in_full(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(run_folder, videos, "--output", tmp_path / "new" / "scores.csv", "--top_k", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = [Predictor(run_folder, device="cpu")(videos / name) for name in ("a.avi", "deep/b.avi")]
    assert [line.split()[:2] for line in lines] == [[str(p.path), p.label] for p in expected]
    assert [len(line.split()) for line in lines] == [5, 5]
    with (tmp_path / "new" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "start_seconds", "end_seconds", "prediction", "p_left", "p_right", "p_still"]
    for row, prediction in zip(rows, expected, strict=True):
        assert (row["path"], row["prediction"]) == (str(prediction.path), prediction.label)
        assert tuple(float(row[f"p_{name}"]) for name in prediction.class_names) == prediction.scores


def test_one_bad_file_stops_no_other_and_is_listed_at_the_end(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "bad.mp4").write_text("no video")
    assert predict(run_folder, videos, "--output", tmp_path / "scores.json") == 1
    captured = capsys.readouterr()
    assert [Path(line.split()[0]).name for line in captured.out.splitlines()] == ["a.avi", "b.avi"]
    assert "1 of 3 videos failed" in captured.err
    assert "bad.mp4: cannot be decoded" in captured.err
    content = json.loads((tmp_path / "scores.json").read_text())
    assert [Path(found["path"]).name for found in content["predictions"]] == ["a.avi", "b.avi"]
    assert [Path(failed["path"]).name for failed in content["failures"]] == ["bad.mp4"]


def test_all_files_being_bad_is_status_2(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("no video")
    assert predict(run_folder, tmp_path) == 2
    assert "2 of 2 videos failed" in capsys.readouterr().err


def test_the_only_file_being_bad_is_one_line_and_status_2(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    words = ["--output", tmp_path / "a.csv", "--overlay", tmp_path / "o.mp4"]
    assert predict(run_folder, tmp_path / "bad.mp4", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [line for line in captured.err.splitlines() if "bad.mp4: cannot be" in line]
    assert len(captured.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]


def test_a_long_video_gives_a_timeline_and_a_video_with_labels(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--window_seconds", 0.5, "--hop_seconds", 0.4, "--output", tmp_path / "t.csv"]
    assert predict(run_folder, *words, "--overlay", tmp_path / "o.mp4", videos / "a.avi") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    with (tmp_path / "t.csv").open(newline="") as file:
        times = [(float(row["start_seconds"]), float(row["end_seconds"])) for row in csv.DictReader(file)]
    assert times == [(0.0, 0.5), (0.4, 0.9), (0.7, 1.2)]
    with open_video(tmp_path / "o.mp4") as video:
        assert (video.num_frames, video.fps) == (12, 10)


def test_a_timeline_fits_a_narrow_terminal_and_says_where_its_last_window_overlaps(
    run_folder: Path, videos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcls.cli.predict.NARROW_TOP_K", 1)  # of three classes
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    words = {}
    for columns in (80, 130):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert predict(run_folder, videos / "a.avi", "--window_seconds", 0.5) == 0
        captured = capsys.readouterr()
        assert "a.avi: the last window begins 0.30 s before the end of the one before it" in captured.err
        words[columns] = [len(line.split(" s  ")[1].split()) for line in captured.out.splitlines()]
    assert (words[80], words[130]) == ([2] * 3, [6] * 3)


def test_the_labelled_copies_of_several_videos_keep_their_names_in_a_folder(
    run_folder: Path, videos: Path, tmp_path: Path
) -> None:
    assert predict(run_folder, videos, "--overlay", tmp_path / "out") == 0
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["a.avi.mp4", "deep/b.avi.mp4"]


def test_another_decoder_taking_over_is_said(
    run_folder: Path, videos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidcls.errors import DecodeError
    from vidcls.video import reader

    def refuse(_: Path) -> None:
        raise DecodeError("not today")

    monkeypatch.setitem(reader.BACKENDS, "decord", refuse)
    assert predict(run_folder, videos / "a.avi") == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vidcls: warning")]
    assert len(warnings) == 1
    assert "a.avi: read by" in warnings[0]
    assert "not today" in warnings[0]


def test_rows_stay_where_a_timeline_is_interrupted(
    run_folder: Path,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    each_window = Predictor.each_window

    def interrupted(*arguments: object, **options: object) -> Iterator[Prediction]:
        found = each_window(*arguments, **options)  # type: ignore[arg-type]
        yield next(found)
        yield next(found)
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "each_window", interrupted)
    words = ["--window_seconds", 0.2, "--output", tmp_path / "t.csv"]
    assert predict(run_folder, *words, videos / "a.avi") == 130
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert captured.err.splitlines() == [f"vidcls: interrupted: the 2 rows so far are in {tmp_path / 't.partial.csv'}"]
    assert len((tmp_path / "t.partial.csv").read_text().splitlines()) == 3
    assert not (tmp_path / "t.csv").exists()


def test_the_windows_before_the_damage_of_a_video_are_kept_and_it_is_said(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((videos / "a.avi").read_bytes())
    for start in [k for k in range(len(content) - 8) if content[k : k + 4] == b"00dc"][6:12]:
        content[start + 8 : start + 200] = bytes(192)  # pictures 6 to 11 are no JPEG any more
    (videos / "half.avi").write_bytes(content)
    words = ["--window_seconds", 0.2, "--output", tmp_path / "t.csv"]
    assert predict(run_folder, *words, videos / "half.avi") == 2
    captured = capsys.readouterr()
    num_rows = len(captured.out.splitlines())
    assert 1 <= num_rows <= 3
    assert captured.err.count("\n") == 1
    assert f"the {num_rows} rows before it are in {tmp_path / 't.partial.csv'}" in captured.err
    assert not (tmp_path / "t.csv").exists()
    assert predict(run_folder, *words, videos / "half.avi", videos / "a.avi") == 1
    captured = capsys.readouterr()
    assert f"(after {num_rows} windows, which are kept)" in captured.err
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 1 + num_rows + 6
    assert not (tmp_path / "t.partial.csv").exists()


def test_odd_names_are_read_printed_and_written_whatever_the_encoding_of_the_terminal(
    run_folder: Path, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gehen 😀"
    folder.mkdir()
    names = [b"line\nbreak.avi", "日本.avi".encode()] + ([b"caf\xe9.avi"] if os.name == "posix" else [])
    for name in names:
        try:
            shutil.copy(videos / "a.avi", os.fsencode(folder) + b"/" + name)
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
    for encoding in ("cp1252", "ascii", "utf-8"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        monkeypatch.setattr(sys, "stdout", out)
        assert predict(run_folder, folder, "--output", tmp_path / "s.csv") == 0
        lines = out.buffer.getvalue().decode(encoding).splitlines()
        assert len(lines) == 3
        assert sum("caf\\udce9.avi" in line for line in lines) == 1
        assert sum("line\\nbreak.avi" in line for line in lines) == 1
        with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
            paths = [row["path"] for row in csv.DictReader(file)]
        assert paths == [str(folder / name) for name in ("caf\\udce9.avi", "line\nbreak.avi", "日本.avi")]


def test_scores_that_are_no_numbers_are_an_error_that_names_the_checkpoint(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(run_folder / "checkpoints" / "best.ckpt", weights_only=True)
    weights = {name: weight for name, weight in content["state_dict"].items() if name.endswith("weight")}
    for factor, words in ((1e25, "its scores of .* are NaN or infinite"), (float("nan"), "holds NaN or infinity")):
        content["state_dict"] |= {name: weight * factor for name, weight in weights.items()}
        torch.save(content, tmp_path / "spoilt.ckpt")
        assert predict(tmp_path / "spoilt.ckpt", videos / "a.avi", "--output", tmp_path / "p.json") == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.search(rf"spoilt\.ckpt: .*{words}.*smaller learning rate", captured.err)
        assert captured.err.count("\n") == 1
        assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "https://example.org/v.mp4"], "https://example.org/v.mp4: is an address"),
        (["RUN", "gone.mp4"], "gone.mp4: no such file or folder"),
        (["RUN", "EMPTY"], "no video in this folder"),
        (["gone.ckpt", "A"], "gone.ckpt: no such file or folder: pass best"),
        (["EMPTY", "A"], "no run here has a checkpoint best.ckpt"),
        (["A", "A"], "videos/a.avi: is a video, and the model comes before it: vidcls predict best videos/a.avi"),
        (["A", "RUN"], "is a video, and the model comes before it: vidcls predict /"),
        (["best", "A"], "runs: no run here has a checkpoint best.ckpt: train first"),
        (["RUN", "A", "--top-q", "1"], "unrecognized arguments: --top-q 1; did you mean --top_k?"),
        (["RUN", "A", "--output", "a.txt"], ".csv and .json"),
        (["RUN", "A", "--output", "A"], "suffix is '.avi'"),
        (["RUN", "A", "--overlay", "a.txt"], ".mp4, .mov, .avi, .mkv"),
        (["RUN", "A", "--overlay", "A"], "one of the inputs"),
        (["RUN", "A", "B", "--overlay", "a.mp4"], "pass a folder"),
        (["RUN", "A", "--top_k", "0"], "--top_k"),
        (["RUN", "A", "--window_seconds", "nan"], "--window_seconds"),
        (["RUN", "A", "--hop_seconds", "1"], "needs --window_seconds"),
        (["RUN", "A", "--window_seconds", "1", "--hop_seconds", "2"], "longer than --window_seconds"),
        (["RUN", "A", "--windows", "1"], "unrecognized arguments: --windows 1"),
        (["RUN"], "VIDEO"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_nothing_is_written(
    run_folder: Path,
    videos: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    (videos.parent / "empty").mkdir()
    places = {"RUN": run_folder, "EMPTY": "empty", "A": "videos/a.avi", "B": "videos/deep/b.avi"}
    monkeypatch.chdir(videos.parent)
    before = sorted(videos.parent.rglob("*"))
    assert predict(*(places.get(word, word) for word in words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err
    assert sorted(videos.parent.rglob("*")) == before


def test_odd_files_are_predicted_or_listed(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "VIDCLS_REAL_DATA" not in os.environ:
        pytest.skip("VIDCLS_REAL_DATA is not set: the folder of odd files is not known")
    odd = Path(os.environ["VIDCLS_REAL_DATA"]) / "oddities"
    readable = ("unordered.mov", "video_90.mov", "av1_video.mkv", "one_frame.mp4", "vfr.mp4", "start_offset_5s.ts")
    broken = ("zeroframe_258B.mp4", "truncated_no_moov.mp4", "zero_bytes.mp4", "audio_only.mp4")
    assert predict(run_folder, *(odd / name for name in readable + broken)) == 1
    captured = capsys.readouterr()
    assert [Path(line.split()[0]).name for line in captured.out.splitlines()] == list(readable)
    failed = captured.err.partition("4 of 10 videos failed:\n")[2].splitlines()
    assert [Path(line.split(":")[0].strip()).name for line in failed] == list(broken)


def test_a_part_of_a_video_is_scored_as_in_python(
    run_folder: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, output = videos / "a.avi", tmp_path / "scores.csv"
    assert predict(run_folder, video, "--start", 0.4, "--end", 0.9, "--output", output) == 0
    assert "0.40 to    0.90 s" in capsys.readouterr().out
    with output.open(newline="") as file:
        (row,) = csv.DictReader(file)
    expected = Predictor(run_folder, device="cpu")(video, part=VideoPart(0.4, 0.9))
    assert tuple(float(row[f"p_{name}"]) for name in expected.class_names) == expected.scores
    for words, reason in (
        (("--start", 1, "--end", 0.5), "is reversed"),
        (("--start", 5), "is beyond the end of the video, which lasts 1.2 s"),
        (("--start", 0.2, "--window_seconds", 1), "remove --window_seconds"),
    ):
        assert predict(run_folder, video, *words) == 2
        assert reason in capsys.readouterr().err
