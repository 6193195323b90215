"""Lists with parts of videos -> records, and what is wrong with such a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vidcls.datasets import VideoCsv, refold
from vidcls.datasets.plain_list import LEAST_BYTES
from vidcls.datasets.record_facts import whole_videos
from vidcls.datasets.records import RecordTable
from vidcls.errors import DatasetError
from vidcls.types import SPLITS
from vidcls.video_part import VideoPart

Files = Callable[[Path, Iterable[str]], None]
Lines = Callable[..., Path]
NAMES = [f"{letter}.mp4" for letter in "abcdefgh"]


def parts_of_all(unit: str = "{},{}") -> list[str]:
    """Of each of eight videos three parts: walk, sit, walk."""
    rows = []
    for name in NAMES:
        for start, label in ((0, "walk"), (2, "sit"), (4, "walk")):
            rows.append(f"{name},{label},{unit.format(start, start + 2)}")
    return rows


@pytest.fixture
def csv(tmp_path: Path, files: Files, lines: Lines) -> Callable[..., Path]:
    files(tmp_path, NAMES)
    return lambda *text: lines(tmp_path / "clips.csv", *text)


@pytest.mark.parametrize("kind", ["csv", "csv in blocks", "parquet"])
@pytest.mark.parametrize(("columns", "unit"), [("start,end", "seconds"), ("start_frame,end_frame", "frames")])
def test_each_line_is_a_part(csv: Callable[..., Path], kind: str, columns: str, unit: str, tmp_path: Path) -> None:
    header, rows = f"path,label,{columns}", [*parts_of_all(), "a.mp4,sit,5,"]
    if kind == "csv in blocks":
        header += ",note"
        rows = [f"{row},{'x' * (LEAST_BYTES // 20)}" for row in rows]
    file = csv(header, *rows)
    if kind == "parquet":
        import pyarrow.csv
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.csv.read_csv(file), tmp_path / "clips.parquet")
        file = tmp_path / "clips.parquet"
    dataset = VideoCsv(file)
    first, last = dataset.records[1], dataset.records[-1]
    fragment = "#t=2,4" if unit == "seconds" else "#frame=2,4"
    assert (first.name, first.video_name, first.label) == (f"a.mp4{fragment}", "a.mp4", "sit")
    assert first.part == VideoPart(2, 4, unit)  # type: ignore[arg-type]
    assert last.part == VideoPart(5, unit=unit)  # type: ignore[arg-type]
    assert RecordTable.of([*dataset.records]) == dataset.records
    assert [record.name for record in whole_videos(dataset.records)] == NAMES
    assert any("parts of videos" in note for note in dataset.notes)


def test_all_parts_of_a_video_are_in_one_split_and_in_one_fold(csv: Callable[..., Path]) -> None:
    dataset = VideoCsv(csv("path,label,start,end", *parts_of_all()), val_fraction=0.25, test_fraction=0.25)
    folds = [refold(dataset.records, 4, fold) for fold in range(4)]
    for records in (dataset.records, *folds):
        splits = {record.video_name: record.split for record in records}
        assert [splits[record.video_name] for record in records] == [record.split for record in records]
        assert {*splits.values()} == {*SPLITS}
    assert {record.group for record in dataset.records} == {*NAMES}


def test_a_given_split_that_spreads_a_video_is_refused_and_given_groups_count(csv: Callable[..., Path]) -> None:
    rows = [f"{row},{'train' if k % 3 else 'test'}" for k, row in enumerate(parts_of_all())]
    with pytest.raises(DatasetError, match=r"groups in two splits: a\.mp4"):
        VideoCsv(csv("path,label,start,end,split", *rows))
    grouped = [f"{row},g{k}" for k, row in enumerate(rows)]
    assert VideoCsv(csv("path,label,start,end,split,group", *grouped), val_fraction=0).records[4].group == "g4"


def test_the_same_part_twice_is_a_duplicate_and_another_part_is_none(csv: Callable[..., Path]) -> None:
    with pytest.raises(DatasetError, match=r"lists a\.mp4 from 0 to 2 s with two labels .*one line for each part"):
        VideoCsv(csv("path,label,start,end", *parts_of_all(), "a.mp4,sit,0,2.0"))
    assert len(VideoCsv(csv("path,label,start,end", *parts_of_all(), "a.mp4,sit,0,2.5")).records) == 25


WRONG = {
    r"clips\.csv:26: the part from 3 to 3 s is empty": "a.mp4,sit,3,3",
    r"clips\.csv:26: the part from 3 to 1 s is reversed": "a.mp4,sit,3,1",
    r"clips\.csv:26: the part from -1 to 1 s begins before": "a.mp4,sit,-1,1",
    r"clips\.csv:26: start is 'soon': expected seconds": "a.mp4,sit,soon,1",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_part_that_cannot_be_is_refused_with_its_line(csv: Callable[..., Path], words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        VideoCsv(csv("path,label,start,end", *parts_of_all(), WRONG[words]))


def test_clock_times_whole_videos_and_other_names_of_columns(csv: Callable[..., Path]) -> None:
    rows = [f"{name},walk,," for name in NAMES[:4]] + [f"{name},sit,0:01.5,1:00:02" for name in NAMES]
    dataset = VideoCsv(csv("path,label,from,to", *rows), columns={"start": "from", "end": "to"})
    assert [record.part for record in dataset.records[:4]] == [None] * 4
    assert dataset.records[4].part == VideoPart(1.5, 3602)
    assert dataset.records[0].name == "a.mp4"
    with pytest.raises(DatasetError, match="a part needs start and end"):
        VideoCsv(csv("path,label,from,to", *rows), columns={"start": "from"})


def test_a_lone_start_is_a_further_column_and_a_list_without_parts_is_as_it_was(csv: Callable[..., Path]) -> None:
    dataset = VideoCsv(csv("path,label,start", *(f"{name},{'ab'[k % 2]},{k}" for k, name in enumerate(NAMES))))
    assert dataset.records[3].extra == {"start": "3"}
    assert dataset.records[3].group is None
    assert not dataset.records.columns.has_parts  # type: ignore[attr-defined]


def test_each_action_of_a_charades_list_is_a_part_where_a_single_label_is_asked_for(
    tmp_path: Path, files: Files, lines: Lines
) -> None:
    files(tmp_path, NAMES)
    rows = [f"{name[0]},c1 0.00 2.50;c2 1.00 4.00" for name in NAMES[:7]] + ["h,"]
    file = lines(tmp_path / "charades.csv", "id,actions", *rows)
    parts = VideoCsv(file, labels="single").records
    assert [(r.video_name, r.label, r.part) for r in parts[:2]] == [
        ("a.mp4", "c1", VideoPart(0, 2.5)),
        ("a.mp4", "c2", VideoPart(1, 4)),
    ]
    assert len(parts) == 14
    whole = VideoCsv(file).records
    assert (whole[0].classes, whole[0].part, len(whole)) == (("c1", "c2"), None, 8)


def test_a_part_that_several_lines_list_may_have_several_labels(csv: Callable[..., Path]) -> None:
    rows = [*parts_of_all(), *(row.replace("walk", "wave") for row in parts_of_all() if "walk,0" in row)]
    dataset = VideoCsv(csv("path,label,start,end", *rows), labels="several")
    assert len(dataset.records) == 24
    assert (dataset.records[0].classes, dataset.records[0].part) == (("walk", "wave"), VideoPart(0, 2))
    assert dataset.records[1].classes == ("sit",)
