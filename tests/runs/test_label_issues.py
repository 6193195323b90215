"""Labels that are probably wrong: known answers, and those of cleanlab where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from vidcls.files import write_csv
from vidcls.runs.label_issues import class_thresholds, confident_classes, issue_rows, label_issues
from vidcls.runs.results import ScoredVideos


def scored(scores: np.ndarray, labels: np.ndarray, folder: str = "") -> ScoredVideos:
    names, paths = tuple("abcdef"[: scores.shape[1]]), tuple(f"{folder}{k}.mp4" for k in range(len(scores)))
    return ScoredVideos(names, paths, labels, ("",) * len(scores), scores)


def flipped(
    num_videos: int, seed: int, *, share: float = 0.1, sharpness: float = 3.0
) -> tuple[ScoredVideos, np.ndarray]:
    """Videos of four classes, whose network is mostly right, with labels of which a share was changed, and which."""
    random = np.random.default_rng(seed)
    true = random.integers(4, size=num_videos)
    logits = random.normal(size=(num_videos, 4)) + sharpness * np.eye(4)[true]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    is_wrong = random.random(num_videos) < share
    return scored(p, np.where(is_wrong, (true + random.integers(1, 4, size=num_videos)) % 4, true)), is_wrong


def test_six_videos_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.75, 0.25]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    thresholds = class_thresholds(scores, labels)
    assert thresholds == pytest.approx([0.6, 1.75 / 3])
    assert confident_classes(scores, thresholds).tolist() == [0, 0, 1, 1, 1, 0]
    found = label_issues(scored(scores, labels))
    assert [(issue.path, issue.label, issue.suggested) for issue in found] == [("2.mp4", "a", "b"), ("5.mp4", "b", "a")]
    assert found[0].p_label == pytest.approx(0.1)
    assert found[0].p_suggested == pytest.approx(0.9)


def test_changed_labels_are_found_and_the_least_probable_come_first() -> None:
    videos, is_wrong = flipped(2000, 0)
    found = [issue.number for issue in label_issues(videos)]
    assert is_wrong[found].mean() > 0.95
    assert is_wrong[found].sum() / is_wrong.sum() > 0.7
    assert is_wrong[found[:50]].mean() == 1.0


def test_the_answers_are_those_of_cleanlab() -> None:
    cleanlab = pytest.importorskip("cleanlab.filter", reason="compares with cleanlab where it is installed")
    for seed in range(3):
        videos, _ = flipped(500, seed, sharpness=2.0)
        expected = cleanlab.find_label_issues(videos.labels, videos.scores, filter_by="confident_learning", n_jobs=1)
        found = np.zeros(500, bool)
        found[[issue.number for issue in label_issues(videos)]] = True
        assert (found == expected).all()


def test_a_class_without_held_out_videos_is_never_suggested() -> None:
    scores = np.array([[0.1, 0.1, 0.8]] * 3 + [[0.1, 0.8, 0.1]] * 3)
    assert not label_issues(scored(scores, np.array([0, 0, 0, 1, 1, 1])))


def test_a_test_is_judged_by_the_thresholds_of_other_videos_alone() -> None:
    held_out, _ = flipped(500, 1)
    test, _ = flipped(200, 2)
    alone = [label_issues(scored(test.scores[k : k + 1], test.labels[k : k + 1]), held_out) for k in range(200)]
    assert sum(map(len, alone)) == len(label_issues(test, held_out)) > 10


def test_the_table_can_be_read_by_a_spreadsheet(tmp_path: Path) -> None:
    videos, _ = flipped(100, 3)
    issues = label_issues(videos)
    write_csv(tmp_path / "issues.csv", issue_rows([("validation", issues), ("test", issues[:1])]))
    with (tmp_path / "issues.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [*(issue.path for issue in issues), issues[0].path]
    assert {row["videos"] for row in rows} == {"validation", "test"}
    assert float(rows[0]["p_label"]) == pytest.approx(issues[0].p_label, rel=1e-5)
