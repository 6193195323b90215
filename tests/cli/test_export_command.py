"""``vidcls export``: the file answers as the run's own test, says what it is, and is absent where it does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vidcls.errors import CheckpointError
from vidcls.inference.pt2_file import load_pt2
from vidcls.model_file import METADATA_KEY, ModelFacts
from vidcls.predict import Predictor
from vidcls.predict.open_model import open_model

onnx = pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

Command = Callable[..., Any]
ROWS = ("model", "spatial", "temporal", "mean", "product", "weighted", "svm")


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_run_becomes_one_file_that_says_how_it_compares(vidcls: Command, run: Path, tmp_path: Path) -> None:
    assert vidcls("test", "--run", run).status == 0
    outcome = vidcls("export", run, "model.onnx", "--no_timing")
    assert outcome.status == 0, outcome
    assert "7 test videos: largest difference of a score" in outcome.out
    assert "same answer 100.0 %" in outcome.out
    assert "fixed: T 1, height 32, width 32; any number of clips at once" in outcome.out
    assert files_in(tmp_path) == ["model.onnx"]
    (entry,) = (each for each in onnx.load("model.onnx").metadata_props if each.key == METADATA_KEY)
    facts = ModelFacts.from_json(entry.value, "model.onnx")
    assert (facts.model, facts.class_names, facts.rows) == ("TwoStream", ("left", "right", "still"), ROWS)
    assert facts.input == Predictor(run, device="cpu").input_settings
    assert facts.results["test"]["num_videos"] == 7
    assert facts.results["export"]["largest_difference"] < 1e-5
    accuracy = facts.results["test"]["table"]["model"]["top1"]
    assert facts.results["export"]["accuracy_after"] == pytest.approx(accuracy)
    assert facts.checkpoint["run"] == run.name


def test_a_pt2_file_is_loaded_in_python_and_answers_alike(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path
) -> None:
    video = next(clip_folder.glob("test/*/*.avi"))
    assert vidcls("export", run, "model.pt2", "--check", video, "--no_timing").status == 0
    network, predictor = load_pt2("model.pt2"), Predictor(run, device="cpu")
    assert network.facts.results["export"]["videos"] == "1 video"
    rgb = torch.randint(0, 256, (5, 3, 1, 32, 32), dtype=torch.uint8)
    views = {"rgb": rgb, "flow": torch.randn(5, 2, 3, 32, 32)}
    expected = predictor.scorer.by_view({name: view[None] for name, view in views.items()})
    found = network(views)
    assert tuple(found) == ROWS
    for row, scores in found.items():
        np.testing.assert_allclose(scores.detach().numpy(), expected[row][0].detach().numpy(), atol=1e-5)


def test_a_video_is_predicted_alike_by_checkpoint_and_files(vidcls: Command, run: Path, clip_folder: Path) -> None:
    video = next(clip_folder.glob("test/*/*.avi"))
    expected = open_model(run, device="cpu").scores_by_row(video)
    for name in ("model.onnx", "model.pt2"):
        assert vidcls("export", run, name, "--no_timing").status == 0
        model = open_model(name, device="cpu")
        assert model(video).label == open_model(run, device="cpu")(video).label
        found = model.scores_by_row(video)
        assert list(found) == list(expected)
        for row, scores in found.items():
            np.testing.assert_allclose(scores, expected[row], atol=1e-5, err_msg=f"{name} {row}")


def test_precisions_make_smaller_files_with_their_accuracy(vidcls: Command, run: Path) -> None:
    sizes = {}
    for precision, more in (("fp32", ()), ("fp16", ()), ("int8", ("--force",))):
        outcome = vidcls("export", run, f"{precision}.onnx", "--precision", precision, "--no_timing", *more)
        assert outcome.status == 0, outcome
        assert f"({precision}, " in outcome.out
        assert "top1: " in outcome.out
        sizes[precision] = Path(f"{precision}.onnx").stat().st_size
    assert sizes["fp16"] < sizes["fp32"]
    quantised = {node.op_type for node in onnx.load("int8.onnx").graph.node}
    assert "DequantizeLinear" in quantised


def test_a_file_that_answers_otherwise_is_not_left(vidcls: Command, run: Path, tmp_path: Path) -> None:
    said = vidcls("export", run, "model.onnx", "--precision", "fp16", "--tolerance", "1e-9", "--no_timing").refusal()
    assert "and 1e-09 is allowed for fp16: no file is left" in said
    assert files_in(tmp_path) == []


def test_a_checkpoint_of_no_run_is_checked_on_noise_and_is_no_int8(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(run / "checkpoints" / "best.ckpt", "alone.ckpt")
    outcome = vidcls("export", "alone.ckpt", "model.pt2", "--no_timing")
    assert outcome.status == 0, outcome
    assert "warning: the checkpoint lies in no run" in outcome.err
    assert "8 random clips: largest difference" in outcome.out
    monkeypatch.setattr("vidcls.export.export.exported_program", None)  # told before anything is computed
    video = next(clip_folder.glob("test/*/*"))
    int8 = ("export", "alone.ckpt", "m.onnx", "--precision", "int8")
    assert "pass --calibrate VIDEO" in vidcls(*int8, "--force").refusal()
    assert "or pass --force" in vidcls(*int8).refusal()
    assert "or pass --force" in vidcls("export", run, *int8[2:], "--check", video).refusal()
    assert files_in(tmp_path) == ["alone.ckpt", "model.pt2"]


def test_a_video_that_cannot_be_read_is_named(vidcls: Command, run: Path, tmp_path: Path) -> None:
    Path("broken.mp4").write_bytes(b"no video")
    assert "broken.mp4" in vidcls("export", run, "model.pt2", "--check", "broken.mp4", "--no_timing").refusal()
    assert files_in(tmp_path) == ["broken.mp4"]


def test_folders_and_patterns_of_videos_are_checked_and_what_is_not_there_is_told_at_once(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = sorted(clip_folder.glob("test/*/*.avi"))
    outcome = vidcls("export", run, "model.pt2", "--check", clip_folder / "test" / "*" / "*.avi", "--no_timing")
    assert outcome.status == 0, outcome
    assert f"{len(videos)} videos: largest difference" in outcome.out
    (tmp_path / "folder.pt2").mkdir()
    monkeypatch.setattr("vidcls.export.export.export", None)  # nothing is computed for what cannot be
    for words, said in {
        ("m.pt2", "--check", "gone.mp4"): "gone.mp4: no such file",
        ("m.pt2", "--check", "https://example.org/a.mp4"): "--allow-remote https",
        ("m.onnx", "--calibrate", "gone.mp4", "--precision", "int8"): "gone.mp4: no such file",
        ("folder.pt2",): "OUT folder.pt2: this is a folder",
    }.items():
        assert said in vidcls("export", run, *words, "--no_timing").refusal()


def test_other_files_are_no_pt2_files(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone.pt2: no such file"):
        load_pt2(tmp_path / "gone.pt2")
    (tmp_path / "text.pt2").write_text("no archive")
    with pytest.raises(CheckpointError, match=r"text.pt2: is not a readable .pt2 file"):
        load_pt2(tmp_path / "text.pt2")
    with pytest.raises(CheckpointError, match=r"was not written by vidcls export"):
        load_pt2(run / "checkpoints" / "best.ckpt")
