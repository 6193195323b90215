"""Scores of videos -> the lines of ``test.csv`` and back."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scored import scored

from vidcls.files import write_csv
from vidcls.runs.results import joined
from vidcls.runs.score_files import read_scores, read_with_labels, score_rows, write_scores
from vidcls.video_part import VideoPart


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


def test_labels_of_no_class_of_the_network_stand_in_place_of_its_own_beside_parts_too(tmp_path: Path) -> None:
    parts = (VideoPart(1.5, 3), VideoPart(3, 4))
    paths = [f"a.avi{part.fragment}" for part in parts]
    videos = replace(scored([0, 0], [[0.75, 0.25], [0.25, 0.75]], paths=paths, groups=("x", "")), parts=parts)
    write_csv(tmp_path / "left_out.csv", score_rows(videos, labels=("still", "far, off")))
    assert (tmp_path / "left_out.csv").read_text().splitlines() == [
        "path,start,end,label,group,prediction,p_a,p_b",
        "a.avi,1.5,3,still,x,a,0.75,0.25",
        'a.avi,3,4,"far, off",,b,0.25,0.75',
    ]
    read, labels = read_with_labels(tmp_path / "left_out.csv", "ab", videos.task)
    assert (labels, read.paths, read.groups, read.parts) == (("still", "far, off"), tuple(paths), ("x", ""), parts)
    assert (read.scores == videos.scores).all()
