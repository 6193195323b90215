"""Files of predictions, read back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, VidclsError
from vidcls.predict.output import PredictionFile, check_output, table_line
from vidcls.predict.prediction import Prediction

SCORES = (0.1 + 1e-9, 0.65, 0.25)
CLASSES = ("sit", "stand, up", "übung")
PREDICTION = Prediction(Path("a\udcff.mp4"), CLASSES, SCORES, 0.5, 2.0, ("stand, up",))
FAILURES = [(Path("b.mp4"), "b.mp4: no video")]


def write(path: Path, *, top_k: int, num_rows: int = 1) -> None:
    with PredictionFile(path, Path("best.ckpt"), CLASSES, top_k=top_k) as file:
        for _ in range(num_rows):
            file.add(PREDICTION)
        file.finish(FAILURES)


def test_csv_has_a_row_for_each_prediction_with_full_scores(tmp_path: Path) -> None:
    write(tmp_path / "new" / "a.csv", top_k=1)
    with (tmp_path / "new" / "a.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header == ["path", "start_seconds", "end_seconds", "prediction", "p_sit", "p_stand, up", "p_übung"]
    assert row[:4] == ["a\\udcff.mp4", "0.5", "2.0", "stand, up"]
    assert tuple(float(cell) for cell in row[4:]) == SCORES


def test_json_has_the_best_classes_by_rank_all_scores_and_the_failures(tmp_path: Path) -> None:
    write(tmp_path / "a.json", top_k=2)
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert content["checkpoint"] == "best.ckpt"
    assert content["predictions"] == [
        {
            "path": "a\udcff.mp4",
            "start_seconds": 0.5,
            "end_seconds": 2.0,
            "prediction": "stand, up",
            "top": [{"class": "stand, up", "score": 0.65}, {"class": "übung", "score": 0.25}],
            "scores": dict(zip(CLASSES, SCORES, strict=True)),
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
        write(tmp_path / "a.csv", top_k=1)
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_file_without_a_row_is_not_made(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", top_k=1, num_rows=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_rows_are_on_the_disk_as_they_come_under_a_name_that_says_they_are_not_all(tmp_path: Path, suffix: str) -> None:
    output, partial = tmp_path / f"a{suffix}", tmp_path / f"a.partial{suffix}"
    with PredictionFile(output, Path("best.ckpt"), CLASSES, top_k=1) as file:
        for number in (1, 2, 3):
            file.add(PREDICTION)
            assert partial.read_text(encoding="utf-8").count("udcff") == number
        assert not output.exists()
        file.finish()
    assert output.exists()
    assert not partial.exists()


def test_what_an_interrupted_command_found_stays_and_can_be_read(tmp_path: Path) -> None:
    def interrupted(path: Path) -> None:
        with PredictionFile(path, Path("best.ckpt"), CLASSES, top_k=1) as file:
            file.add(PREDICTION)
            file.add(PREDICTION)
            raise KeyboardInterrupt

    for suffix in (".csv", ".json"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(tmp_path / f"a{suffix}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.partial.csv", "a.partial.json"]
    assert len((tmp_path / "a.partial.csv").read_text(encoding="utf-8").splitlines()) == 3
    content = json.loads((tmp_path / "a.partial.json").read_text(encoding="utf-8"))
    assert len(content["predictions"]) == 2
    assert content["failures"] == []


def test_json_that_grew_is_the_json_of_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "a.json", top_k=2, num_rows=2)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False).replace("\udcff", "\\udcff") + "\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.txt", r"\.csv and \.json"),
        ("a", r"\.csv and"),
        ("folder.csv", "a folder"),
        ("file/a.csv", "not a writable folder"),
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
    line = table_line(PREDICTION, top_k=2, path_width=14, with_time=True)
    assert line == "a\\udcff.mp4        0.50 to    2.00 s  stand, up 0.650  übung     0.250"
    odd = replace(PREDICTION, path=Path("a\n\x1b[2J.mp4"), class_names=("b\rc", "d", "e"))
    line = table_line(odd, top_k=3, path_width=1, with_time=False)
    assert line == "a\\n\\x1b[2J.mp4  d    0.650  e    0.250  b\\rc 0.100"
    assert table_line(PREDICTION, top_k=1, path_width=3, with_time=False) == "a\\udcff.mp4  stand, up 0.650"
