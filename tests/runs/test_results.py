"""Scores of videos -> the lines of ``test.csv`` and back, and what they say, against values worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidcls.files import write_csv
from vidcls.runs.results import ScoredVideos, joined, read_scores, score_rows, write_scores
from vidcls.tasks.accuracies import is_among_best
from vidcls.video_part import VideoPart


def scored(
    labels: Sequence[int],
    scores: Sequence[Sequence[float]],
    class_names: Sequence[str] = "abc",
    *,
    paths: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> ScoredVideos:
    names = tuple(paths) or tuple(f"{k}.avi" for k in range(len(labels)))
    table = np.array(scores, dtype=np.float32)
    classes = tuple(class_names)[: table.shape[1]]
    return ScoredVideos(classes, names, np.array(labels), tuple(groups) or ("",) * len(names), table)


def test_a_line_has_the_name_in_the_data_set_the_group_and_the_likeliest_class() -> None:
    videos = scored(
        [1, 0], [[0.25, 0.75], [0.5, 0.5]], ("run", "wave"), paths=("a/1.avi", "b/2.avi"), groups=("anna", "")
    )
    assert list(score_rows(videos)) == [
        ["path", "label", "group", "prediction", "p_run", "p_wave"],
        ["a/1.avi", "wave", "anna", "wave", "0.25", "0.75"],
        ["b/2.avi", "run", "", "run", "0.5", "0.5"],
    ]


def test_a_video_that_could_not_be_read_has_no_prediction_and_counts_as_wrong(tmp_path: Path) -> None:
    videos = scored([1, 0], [[0.5, 0.0, 0.5], [1, 0, 0]])
    write_scores(tmp_path / "test.csv", videos, unread={"0.avi"})
    with (tmp_path / "test.csv").open(newline="", encoding="utf-8") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == ["(unread)", "a"]
    read = read_scores(tmp_path / "test.csv", "abc")
    assert read.is_correct.tolist() == [False, True]


def test_every_probability_is_written_so_that_it_reads_back_equal(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((50, 2), dtype=np.float32)
    write_scores(tmp_path / "test.csv", scored([0] * 50, scores.tolist(), groups=["anna", ""] * 25))
    read = read_scores(tmp_path / "test.csv", "ab")
    assert (read.scores.astype(np.float32) == scores).all()
    assert read.groups == ("anna", "") * 25


def test_names_with_commas_quotes_and_line_breaks_stay_one_cell(tmp_path: Path) -> None:
    odd = 'jump, "high"\nand far'
    write_scores(tmp_path / "test.csv", scored([0], [[0.75, 0.25]], (odd, "run"), paths=["a,b.avi"]))
    with (tmp_path / "test.csv").open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert header == ["path", "label", "group", "prediction", f"p_{odd}", "p_run"]
    assert row == ["a,b.avi", odd, "", odd, "0.75", "0.25"]


def test_the_scores_of_one_video_at_a_time_are_python_numbers() -> None:
    """As text, the scores of thousands of classes are larger than memory."""
    rows = score_rows(scored([0] * 3, [[0, 0]] * 3))
    assert iter(rows) is rows
    assert [len(next(rows)) for _ in range(4)] == [6, 6, 6, 6]


def test_columns_are_found_by_name_whatever_their_order(tmp_path: Path) -> None:
    write_scores(tmp_path / "test.csv", scored([0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    read = read_scores(tmp_path / "test.csv", "ba")
    assert (read.class_names, read.labels.tolist(), read.scores.argmax(axis=1).tolist()) == (("b", "a"), [1, 0], [1, 0])


@pytest.mark.parametrize(
    ("rows", "error", "reason"),
    [
        ([["path", "label", "group", "prediction", "p_a"]], ValueError, "no video"),
        ([["path", "label"], ["0.avi", "a"]], KeyError, "group"),
        ([["path", "label", "group", "prediction", "p_b"]], KeyError, "p_a"),
        ([["path", "label", "group", "prediction", "p_a"], ["0.avi", "z", "", "a", 1]], KeyError, "z"),
        ([["path", "label", "group", "prediction", "p_a"], ["0.avi", "a"]], ValueError, "line 2 has 2 of 5 cells"),
    ],
)
def test_a_damaged_file_says_what_is_missing(
    tmp_path: Path, rows: list[list[object]], error: type[Exception], reason: str
) -> None:
    write_csv(tmp_path / "test.csv", rows)
    with pytest.raises(error, match=reason):
        read_scores(tmp_path / "test.csv", "a")


def test_accuracies_and_counts_are_those_of_the_likeliest_classes() -> None:
    videos = scored([0, 0, 1, 2], [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0, 1, 0], [0, 1, 0]])
    assert videos.measured("top1") == pytest.approx(2 / 4)
    assert videos.measured("mean_class_accuracy") == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert videos.confusion().tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert is_among_best(videos.scores, videos.labels, 2).tolist() == [True, False, True, True]


def test_the_most_confident_errors_and_the_least_confident_correct_predictions_come_first() -> None:
    videos = scored([0, 0, 0, 0, 1], [[0.4, 0.6], [0.1, 0.9], [0.55, 0.45], [0.99, 0.01], [0.3, 0.7]])
    assert videos.most_confident_errors(5) == [1, 0]
    assert videos.least_confident_correct(2) == [2, 4]
    assert videos.least_confident_correct() == [2, 4, 3]


def test_scores_that_are_no_numbers_are_found() -> None:
    assert scored([0, 0, 0], [[np.nan, 1], [0, 1], [0, np.inf]]).not_finite.tolist() == [0, 2]


def test_a_video_without_a_group_is_a_group_of_its_own() -> None:
    assert scored([0, 0], [[1, 0], [1, 0]], groups=["anna", ""]).independent_groups == ("anna", "1.avi")


def test_tests_are_joined_by_the_names_of_their_classes() -> None:
    first = scored([0, 1], [[0.9, 0.1], [0.2, 0.8]], "ab", paths=["1", "2"])
    second = scored([0, 1], [[0.7, 0.3], [0.4, 0.6]], "bc", paths=["3", "4"])
    both = joined([first, second])
    assert both.class_names == ("a", "b", "c")
    assert both.paths == ("1", "2", "3", "4")
    assert both.labels.tolist() == both.predictions.tolist() == [0, 1, 1, 2]
    assert both.scores == pytest.approx(np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0.7, 0.3], [0, 0.4, 0.6]]))


def test_parts_of_videos_have_columns_of_their_own_and_read_back_equal(tmp_path: Path) -> None:
    parts = (VideoPart(1.5, 3), VideoPart(3), VideoPart(10, 20, "frames"), None)
    paths = [f"a.avi{part.fragment}" if part else "b.avi" for part in parts]
    videos = replace(scored([0] * 4, [[1.0, 0.0]] * 4, paths=paths), parts=parts)
    write_scores(tmp_path / "test.csv", videos, unread={paths[1]})
    lines = (tmp_path / "test.csv").read_text().splitlines()
    assert lines[0] == "path,start,end,start_frame,end_frame,label,group,prediction,p_a,p_b"
    assert [line.partition(",a,")[0] for line in lines[1:]] == [
        "a.avi,1.5,3,,",
        "a.avi,3,,,",
        "a.avi,,,10,20",
        "b.avi,,,,",
    ]
    read = read_scores(tmp_path / "test.csv", "ab")
    assert (read.paths, read.parts) == (tuple(paths), parts)
    both = joined([read, scored([0], [[1.0, 0.0]], paths=["c.avi"])])
    assert both.parts == (*parts, None)
