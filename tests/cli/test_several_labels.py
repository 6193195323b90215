"""Videos with several labels or none, from a list to thresholds, a test, a report, an exported file and predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from vidcls.models.checkpoint import read_checkpoint
from vidcls.runs.held_out import read_held_out
from vidcls.runs.run import read_run
from vidcls.tasks.class_thresholds import best_f1_thresholds

Command = Callable[..., Any]
LABELS = {"left": ("moves", "to the left"), "right": ("moves",), "still": ("",)}  # of the clips, by their folder
CLASSES = ("moves", "to the left")
FIT = ("--task", "multi_label", "--data.class_balanced", "true", "--model.loss.focal_gamma", 2, "--data.test_clips", 2)


def data_of(clips: Path, *, test_label: str | None = None) -> tuple[str, ...]:
    """A list of the clips with a line for each label, half of those for training used to validate."""
    rows = [("path", "label", "split")]
    for number, clip in enumerate(sorted(clips.rglob("*.avi"))):
        split, folder, _ = clip.relative_to(clips).parts
        used_as = {"train": ("train", "val")[number % 2], "val": "train", "test": "test"}[split]
        labels = LABELS[folder] if test_label is None or split != "test" else (test_label,)
        rows += [(clip.relative_to(clips).as_posix(), label, used_as) for label in labels]
    with Path("clips.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return "--data", "video_csv", "--data.dataset.path", "clips.csv", "--data.dataset.root", str(clips)


def test_videos_with_several_labels_or_none_go_the_whole_way(
    vidcls: Command, tiny: Path, clip_folder: Path, rows_of: Callable[[Path], list[dict[str, str]]]
) -> None:
    fit = vidcls("fit", "--config", tiny, *data_of(clip_folder), *FIT, "--run", "run")
    assert fit.status == 0, fit
    assert "thresholds by class: " in fit.out
    assert "best: epoch" in fit.out
    assert "val/map" in fit.out
    held_out, decision = read_held_out(Path("run")), read_checkpoint("run/checkpoints/best.ckpt").decision
    assert held_out is not None
    assert held_out.facts.views_per_video == 2
    chosen = best_f1_thresholds(held_out.videos.scores, held_out.videos.labels)
    assert decision.thresholds == pytest.approx(chosen, abs=1e-6)

    test = vidcls("test", "--run", "run")
    assert test.status == 0, test
    run = read_run(Path("run"))
    assert run.videos.task.thresholds == pytest.approx(decision.thresholds)
    truth, scores = run.videos.labels, run.videos.scores
    called = scores >= np.array(decision.thresholds)
    table = run.summary["table"]["model"]
    precisions = [average_precision_score(truth[:, k], scores[:, k]) for k in range(2)]
    assert table == pytest.approx(
        {
            "map": np.mean(precisions),
            "f1_macro": f1_score(truth, called, average="macro"),
            "f1_micro": f1_score(truth, called, average="micro"),
            "exact_match": (called == truth).all(axis=1).mean(),
        },
        abs=1e-6,
    )
    assert set(run.summary["table"]) == {"model", "spatial", "temporal", "mean", "product", "weighted"}
    assert json.loads(Path("run/test.json").read_text())["exact_match_by_views"][-1] == pytest.approx(
        table["exact_match"]
    )
    rows = rows_of(Path("run/test.csv"))
    names = ["|".join(name for name, there in zip(CLASSES, row, strict=True) if there) for row in called]
    assert [row["prediction"] for row in rows] == names
    assert {row["label"] for row in rows} == {"moves|to the left", "moves", ""}

    report = vidcls("report", "run", "--num_shown", 1)
    assert report.status == 0, report
    classes = {row["class"]: row for row in rows_of(Path("run/report_data/classes.csv"))}
    for k, name in enumerate(CLASSES):
        assert float(classes[name]["average_precision"]) == pytest.approx(precisions[k])
        assert float(classes[name]["threshold"]) == pytest.approx(decision.thresholds[k])
        assert float(classes[name]["f1"] or 0) == pytest.approx(f1_score(truth[:, k], called[:, k]))

    videos = sorted((clip_folder / "test").rglob("*.avi"))
    predict = vidcls("predict", "run", *videos, "--output", "out.csv")
    assert predict.status == 0, predict
    by_path = {row["path"]: row["prediction"] for row in rows_of(Path("out.csv"))}
    assert [by_path[str(clip_folder / row["path"])] for row in rows] == names


def test_thresholds_never_see_a_test_video(vidcls: Command, tiny: Path, clip_folder: Path) -> None:
    decisions = []
    for number, label in enumerate((None, "to the left")):
        data = data_of(clip_folder, test_label=label)
        fit = vidcls("fit", "--config", tiny, *data, *FIT, "--trainer.max_epochs", 1, "--run", f"run{number}")
        assert fit.status == 0, fit
        decisions.append(read_checkpoint(f"run{number}/checkpoints/best.ckpt").decision)
    assert decisions[0] == decisions[1]
    assert decisions[0].thresholds


def test_what_takes_one_label_refuses_several_in_one_line(vidcls: Command, tiny: Path, clip_folder: Path) -> None:
    data = data_of(clip_folder)
    assert "--task multi_label" in vidcls("fit", "--config", tiny, *data).refusal()
    svm = vidcls("fit", "--config", tiny, *data, *FIT, "--model.fusion", "svm")
    assert "fusion svm needs one class for each video, which multi_label has not" in svm.refusal()
    task = vidcls("fit", "--config", tiny, "--task", "many")
    assert "multi_label" in task.refusal()
