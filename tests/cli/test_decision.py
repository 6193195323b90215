"""What a training chooses on its validation videos goes into the checkpoint, the test, exported files and answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from vidcls.models.checkpoint import read_checkpoint
from vidcls.runs.calibration import at_temperature, fitted_on
from vidcls.runs.held_out import read_held_out
from vidcls.runs.score_files import read_scores

Command = Callable[..., Any]
CLASSES = ("left", "right", "still")
ROWS = ("model", "spatial", "temporal", "mean", "product", "weighted", "svm")
CHOSEN = ("--model.decision.temperature_scaling", "true", "--model.decision.unknown", "max_probability")


@pytest.fixture(scope="module")
def videos(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips, with 12 to validate: a temperature is fitted to 10 or more."""
    root = tmp_path_factory.mktemp("videos")
    for split, other in {"train": "val", "test": "train", "val": "test"}.items():
        shutil.copytree(clip_folder / split, root / other)
    return root


@pytest.mark.slow
def test_a_temperature_goes_the_whole_way_of_a_model(
    vidcls: Command, tiny: Path, videos: Path, rows_of: Callable[[Path], list[dict[str, str]]], tmp_path: Path
) -> None:
    tested = {path: path.read_bytes() for path in (videos / "test").rglob("*.avi")}
    for path in tested:
        path.write_bytes(b"no video")  # nothing that is chosen needs one of these
    fit = vidcls(
        "fit", "--config", tiny, "--data.dataset.root", videos, "--run", "run", "--data.test_clips", 2, *CHOSEN
    )
    for path, content in tested.items():
        path.write_bytes(content)
    assert fit.status == 0, fit
    assert "temperature: " in fit.out
    assert "unknown: a largest probability below 0." in fit.out
    held_out = read_held_out(Path("run"))
    assert held_out is not None
    assert (held_out.facts.num_videos, held_out.facts.views_per_video) == (12, 2)
    decision = read_checkpoint("run/checkpoints/best.ckpt").decision
    assert tuple(decision.temperature) == ROWS
    assert decision.num_videos == 12
    assert decision.temperature["model"] == pytest.approx(fitted_on(held_out.videos).temperature, rel=1e-4)
    confidence = at_temperature(held_out.videos, decision.temperature["model"]).confidence
    assert (confidence >= decision.unknown_below - 1e-6).mean() == 1.0  # 95 % of 12, and no fewer

    test = vidcls("test", "--run", "run")
    assert test.status == 0, test
    assert "fitted on held-out videos: calibration error" in test.out
    summary = json.loads(Path("run/test.json").read_text())
    assert summary["temperature"] == pytest.approx(dict(decision.temperature))
    assert set(summary["calibration"]) == set(ROWS)
    assert {*summary["calibration"]["model"]["before"]} == {"ece", "nll", "brier"}
    answers_of_test = read_scores(Path("run/test.csv"), CLASSES)
    content = torch.load("run/checkpoints/best.ckpt", weights_only=True)
    del content["vidcls"]["decision"]  # as a file from before it was kept
    Path("plain").mkdir()
    torch.save(content, "plain/plain.ckpt")
    plain = vidcls("predict", "plain/plain.ckpt", videos / "test", "--output", "plain.json")
    assert plain.status == 0, plain
    raw = {row["path"]: row["scores"] for row in json.loads(Path("plain.json").read_text())["predictions"]}
    before = np.array([[raw[str(videos / path)][name] for name in CLASSES] for path in answers_of_test.paths])
    undone = at_temperature(answers_of_test, 1 / decision.temperature["model"]).scores
    np.testing.assert_allclose(undone, before, atol=1e-5)  # the scores of the network itself

    pytest.importorskip("onnxscript", reason="needs the extra export")
    assert vidcls("export", "run", "model.onnx", "--no_timing").status == 0
    for model in ("run", "model.onnx"):
        assert vidcls("predict", model, videos / "test", "--output", "scores.csv").status == 0
        found = {row["path"]: [float(row[f"p_{name}"]) for name in CLASSES] for row in rows_of(Path("scores.csv"))}
        answers = np.array([found[str(videos / path)] for path in answers_of_test.paths])
        np.testing.assert_allclose(answers, answers_of_test.scores, atol=1e-4)

    threshold = decision.unknown_below
    for model in ("run", "model.onnx"):
        outcome = vidcls("predict", model, videos / "test", "--unknown", "--output", "unknown.json")
        assert outcome.status == 0, outcome
        for row in json.loads(Path("unknown.json").read_text())["predictions"]:
            is_below = max(row["scores"].values()) < threshold
            assert row["prediction"] == ("unknown" if is_below else row["top"][0]["class"])
    assert (
        "has no threshold for unknown videos"
        in vidcls("predict", "plain/plain.ckpt", videos / "test", "--unknown").refusal()
    )


@pytest.mark.slow
def test_a_class_that_is_left_out_is_unknown_in_the_test(
    vidcls: Command, tiny: Path, videos: Path, rows_of: Callable[[Path], list[dict[str, str]]], tmp_path: Path
) -> None:
    left_out = ("--data.left_out_classes", "[still]")
    assert vidcls("fit", "--config", tiny, "--data.dataset.root", videos, "--run", "run", *left_out).status == 0
    assert read_checkpoint("run/checkpoints/best.ckpt").class_names == ("left", "right")
    test = vidcls("test", "--run", "run")
    assert test.status == 0, test
    assert "unknown: 1 videos of still, which were left out: AUROC" in test.out
    known, unknown = rows_of(Path("run/test.csv")), rows_of(Path("run/test_left_out.csv"))
    assert {row["label"] for row in known} == {"left", "right"}
    assert [row["label"] for row in unknown] == ["still"]
    confidence = [max(float(row["p_left"]), float(row["p_right"])) for row in (*known, *unknown)]
    found = json.loads(Path("run/test.json").read_text())["unknown"]
    assert found["auroc"] == roc_auc_score([1] * len(known) + [0] * len(unknown), confidence)
    refusal = vidcls("fit", "--config", tiny, "--data.left_out_classes", "[walk]").refusal()
    assert "left_out_classes names 'walk', which is no class: the classes are left, right, still" in refusal


def test_without_the_option_scores_are_those_of_the_network_and_validation_scores_are_kept(
    vidcls: Command, run: Path, tmp_path: Path
) -> None:
    decision = read_checkpoint(run / "checkpoints/best.ckpt").decision
    assert not decision.temperature
    assert decision.unknown_below is None
    assert vidcls("test", "--run", run).status == 0
    assert "temperature" not in json.loads((run / "test.json").read_text())
    held_out = read_held_out(run)
    assert held_out is not None
    assert held_out.facts.words == "3 validation videos, one clip of each"
    assert held_out.facts.epoch in (1, 2)


def test_what_cannot_be_fitted_is_refused_before_a_step_is_trained(
    vidcls: Command, tiny: Path, videos: Path, tmp_path: Path
) -> None:
    outcome = vidcls("fit", "--config", tiny, "--model.decision.known_share", "1.5")
    assert "decision.known_share must lie above 0 and up to 1, got 1.5" in outcome.refusal()
