"""Scores -> the lines of ``test.csv`` and the table on the screen, against values worked out by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from vidcls.callbacks.test_files import score_rows, table_text
from vidcls.files import write_csv
from vidcls.types import VideoRecord


def record(name: str, label: str, group: str | None = None) -> VideoRecord:
    return VideoRecord(path=Path("/data") / name, label=label, split="test", name=name, group=group)


def test_a_line_has_the_name_in_the_data_set_the_group_and_the_likeliest_class() -> None:
    records = [record("a/1.avi", "wave", "anna"), record("b/2.avi", "run")]
    scores = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    assert list(score_rows(records, ["run", "wave"], scores)) == [
        ["path", "label", "group", "prediction", "p_run", "p_wave"],
        ["a/1.avi", "wave", "anna", "wave", "0.25", "0.75"],
        ["b/2.avi", "run", "", "run", "0.5", "0.5"],
    ]


def test_every_probability_is_written_so_that_it_reads_back_equal(tmp_path: Path) -> None:
    scores = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    write_csv(tmp_path / "test.csv", score_rows([record(f"{k}.avi", "a") for k in range(50)], ["a", "b"], scores))
    with (tmp_path / "test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert torch.equal(torch.tensor([[float(row["p_a"]), float(row["p_b"])] for row in rows]), scores)


def test_names_with_commas_quotes_and_line_breaks_stay_one_cell(tmp_path: Path) -> None:
    odd = 'jump, "high"\nand far'
    rows = score_rows([record("a,b.avi", odd)], [odd, "run"], torch.tensor([[0.75, 0.25]]))
    write_csv(tmp_path / "test.csv", rows)
    with (tmp_path / "test.csv").open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert header == ["path", "label", "group", "prediction", f"p_{odd}", "p_run"]
    assert row == ["a,b.avi", odd, "", odd, "0.75", "0.25"]


def test_the_scores_of_one_video_at_a_time_are_python_numbers() -> None:
    """As text, the scores of thousands of classes are larger than memory."""
    rows = score_rows([record("a.avi", "a")] * 3, ["a", "b"], torch.zeros(3, 2))
    assert iter(rows) is rows
    assert [len(next(rows)) for _ in range(4)] == [6, 6, 6, 6]


def test_the_fusion_that_is_the_models_answer_is_marked_and_not_shown_twice() -> None:
    table = {row: {"top1": score} for row, score in (("model", 0.75), ("spatial", 0.25), ("product", 0.75))}
    lines = table_text(table, fusion="product", num_videos=8).splitlines()
    assert lines[0] == "test on 8 videos"
    assert lines[1].split() == ["top1"]
    assert [line.split()[:2] for line in lines[2:]] == [["spatial", "0.2500"], ["product", "0.7500"]]
    assert [line.endswith("<- the model's answer") for line in lines[2:]] == [False, True]


def test_a_fusion_that_could_not_be_fitted_is_shown_as_the_models_row() -> None:
    table = {row: {"top1": 0.5} for row in ("model", "spatial", "mean")}
    assert table_text(table, fusion="svm", num_videos=2).splitlines()[-1].split() == ["model", "0.5000"]


def test_a_model_without_parts_has_one_row() -> None:
    lines = table_text({"model": {"top1": 1.0, "top5": 1.0}}, fusion=None, num_videos=1).splitlines()
    assert [line.split() for line in lines[1:]] == [["top1", "top5"], ["model", "1.0000", "1.0000"]]
