"""Files of predictions, read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, VidclsError
from vidcls.predict.output import PredictionReport, check_output, table_line, write_report
from vidcls.types import Prediction

SCORES = (0.1 + 1e-9, 0.65, 0.25)
REPORT = PredictionReport(
    Path("best.ckpt"),
    ("sit", "stand, up", "übung"),
    [Prediction(Path("a\udcff.mp4"), ("sit", "stand, up", "übung"), SCORES, 0.5, 2.0)],
    [(Path("b.mp4"), "b.mp4: no video")],
)


def test_csv_has_a_row_for_each_prediction_with_full_scores(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "new" / "a.csv", top_k=1)
    with (tmp_path / "new" / "a.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header == ["path", "start_seconds", "end_seconds", "prediction", "p_sit", "p_stand, up", "p_übung"]
    assert row[:4] == ["a\\udcff.mp4", "0.5", "2.0", "stand, up"]
    assert tuple(float(cell) for cell in row[4:]) == SCORES


def test_json_has_the_best_classes_by_rank_all_scores_and_the_failures(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "a.json", top_k=2)
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert content["checkpoint"] == "best.ckpt"
    assert content["predictions"] == [
        {
            "path": "a\udcff.mp4",
            "start_seconds": 0.5,
            "end_seconds": 2.0,
            "prediction": "stand, up",
            "top": [{"class": "stand, up", "score": 0.65}, {"class": "übung", "score": 0.25}],
            "scores": dict(zip(REPORT.class_names, SCORES, strict=True)),
        }
    ]
    assert content["failures"] == [{"path": "b.mp4", "reason": "b.mp4: no video"}]


def test_a_file_that_cannot_be_replaced_stays_and_nothing_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(VidclsError, match="No space left"):
        write_report(REPORT, tmp_path / "a.csv", top_k=1)
    assert (tmp_path / "a.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.txt", r"\.csv and \.json"),
        ("a", r"\.csv and"),
        ("folder.csv", "a folder"),
        ("file/a.csv", "no folder"),
        ("in.csv", "one of the inputs"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_runs(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=words):
        check_output(tmp_path / name, [tmp_path / "in.csv"])
    check_output(tmp_path / "new" / "deep" / "a.csv", [tmp_path / "in.csv"])


def test_a_line_of_the_table_has_path_time_and_the_best_classes() -> None:
    line = table_line(REPORT.predictions[0], top_k=2, path_width=14, with_time=True)
    assert line == "a\\udcff.mp4        0.50 to    2.00 s  stand, up 0.650  übung     0.250"
    assert table_line(REPORT.predictions[0], top_k=1, path_width=3, with_time=False) == "a\\udcff.mp4  stand, up 0.650"
