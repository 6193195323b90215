"""Lists of videos that have several labels or none: bars, repeated lines, columns of 0 and 1, and Charades."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.datasets import VideoCsv, one_list
from vidcls.datasets.record_facts import labels_of
from vidcls.errors import DatasetError
from vidcls.loading.video_data import VideoData

Classes = dict[str, tuple[str, ...]]
FOUR: Classes = {"a.mp4": ("walk", "wave"), "b.mp4": ("walk",), "c.mp4": (), "d.mp4": ("wave",)}
BARS = "path,label\na.mp4,wave|walk\nb.mp4,walk\nc.mp4,\nd.mp4,wave\n"
LISTS = {
    "bars": BARS,
    "bars with blanks and a class named twice": BARS.replace("wave|walk", "walk | wave| walk"),
    "repeated lines": "path,label\na.mp4,wave\na.mp4,walk\nb.mp4,walk\nc.mp4,\nd.mp4,wave\nd.mp4,wave\n",
    "columns of 0 and 1": "path,walk,wave,fps\na.mp4,1,1,25\nb.mp4,1,0,25\nc.mp4,0,0,25\nd.mp4,0,1,25\n",
    "Charades": (
        "id,subject,actions,length\na,P1,wave 11.90 21.20;walk 0.00 12.60,33\nb,P2,walk 0.00 1.50;walk 3 4.5,30\n"
        "c,P3,,31\nd,P1,wave 0 3,30\n"
    ),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        for name in FOUR:
            (tmp_path / name).touch()
        file = tmp_path / "clips.csv"
        file.write_text(text)
        return file

    return write


def classes_of(dataset: VideoCsv) -> Classes:
    return {record.name: record.classes for record in dataset.records}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_names_any_number_of_classes_of_a_video(
    kind: str, written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(LISTS[kind])
    for least_bytes in (1 << 40, 0):  # line by line, and in blocks
        monkeypatch.setattr(one_list, "LEAST_BYTES", least_bytes)
        dataset = VideoCsv(file, labels="several", val_fraction=0, test_fraction=0)
        assert classes_of(dataset) == FOUR
        assert [record.label for record in dataset.records] == ["walk|wave", "walk", "", "wave"]
        assert dataset.class_names == ["walk", "wave"]
        assert labels_of(dataset.records) == "several"
    assert dataset.records[0].extra.get("fps") == ("25" if kind == "columns of 0 and 1" else None)
    data = VideoData(dataset, task="multi_label")
    assert data.class_counts() == [2, 2]


def test_a_list_looks_as_if_it_had_several_labels_where_parts_of_a_cell_occur_in_others(
    written: Callable[[str], Path],
) -> None:
    assert classes_of(VideoCsv(written(BARS), val_fraction=0, test_fraction=0)) == FOUR
    names = written("path,label\na.mp4,in|out\nb.mp4,in|out\nc.mp4,up\nd.mp4,up\n")
    assert VideoCsv(names, val_fraction=0, test_fraction=0).class_names == ["in|out", "up"]
    assert VideoCsv(names, val_fraction=0, test_fraction=0, labels="several").class_names == ["in", "out", "up"]
    single = VideoCsv(written(BARS.replace("c.mp4,", "c.mp4,walk")), val_fraction=0, test_fraction=0, labels="single")
    assert single.class_names == ["walk", "wave", "wave|walk"]
    assert labels_of(single.records) == "single"


def test_columns_of_classes_are_named_by_hand_where_others_look_alike(written: Callable[[str], Path]) -> None:
    file = written("path,is_day,walk,wave\na.mp4,1,1,1\nb.mp4,0,1,0\nc.mp4,1,0,0\nd.mp4,1,0,1\n")
    assert VideoCsv(file, val_fraction=0, test_fraction=0).class_names == ["is_day", "walk", "wave"]
    named = VideoCsv(file, val_fraction=0, test_fraction=0, columns={"label": "walk|wave"})
    assert classes_of(named) == FOUR
    assert named.records[0].extra == {"is_day": "1"}
    assert named.notes == ("clips.csv: classes, by columns of 0 and 1: walk, wave",)
    with pytest.raises(DatasetError, match="no column wawe, which columns names as a class"):
        VideoCsv(file, columns={"label": "walk|wawe"})
    wrong = written("path,walk,wave\na.mp4,1,1\nb.mp4,2,0\nc.mp4,0,0\nd.mp4,0,1\n")
    with pytest.raises(DatasetError, match=r"clips.csv:3: the column of the class walk has '2'; expected 0 or 1"):
        VideoCsv(wrong, columns={"label": "walk|wave"})


def test_splits_are_cut_by_class_and_group_where_videos_have_several_or_none(tmp_path: Path) -> None:
    lines = ["path,label,group"]
    for number in range(60):
        (tmp_path / f"{number}.mp4").touch()
        lines.append(f"{number}.mp4,{('walk', 'walk|wave', '')[number % 3]},g{number // 2}")
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    records = VideoCsv(tmp_path / "clips.csv").records
    for split in ("train", "val", "test"):
        inside = [record for record in records if record.split == split]
        assert {record.classes for record in inside} == {("walk",), ("walk", "wave"), ()}
        assert not {record.group for record in inside} & {r.group for r in records if r.split != split}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BARS, r"a.mp4 has 2 labels \(walk\|wave\), but the task single_label takes exactly one.*--task multi_label"),
        (LISTS["columns of 0 and 1"], r"a.mp4 has 2 labels \(walk\|wave\).*pass --task multi_label"),
        (
            LISTS["repeated lines"].replace("c.mp4,", "c.mp4,walk"),
            r"csv:3 lists a.mp4 with two labels.*or pass --task multi_label",
        ),
        ("path,label\na.mp4,walk\nb.mp4,\n", r"csv:3: the column label is empty; fill it.*or pass --task multi_label"),
    ],
)
def test_videos_with_another_number_of_labels_than_one_are_refused_by_a_task_of_one_that_names_the_option(
    text: str, words: str, written: Callable[[str], Path]
) -> None:
    with pytest.raises(DatasetError, match=words):
        VideoData(VideoCsv(written(text), val_fraction=0, test_fraction=0))


def test_training_videos_without_any_label_are_not_taken_for_missing(written: Callable[[str], Path]) -> None:
    none = written("path,label,split\na.mp4,,train\nb.mp4,,train\nc.mp4,walk,val\nd.mp4,wave,test\n")
    with pytest.raises(DatasetError, match=r"no training video in .*csv has a label: expected videos of at least two"):
        VideoCsv(none, labels="several")


def test_lines_of_one_video_in_two_splits_or_groups_are_refused(written: Callable[[str], Path]) -> None:
    splits = written("path,label,split\na.mp4,walk,train\na.mp4,wave,test\nb.mp4,walk,train\nd.mp4,wave,train\n")
    with pytest.raises(DatasetError, match=r"csv:3 lists a.mp4 in two splits \(train and test\)"):
        VideoCsv(splits, labels="several")
    groups = written("path,label,group\na.mp4,walk,g1\na.mp4,wave,g2\nb.mp4,walk,g1\nd.mp4,wave,g2\n")
    with pytest.raises(DatasetError, match=r"csv:3 lists a.mp4 in the group 'g2', .*csv:2 in 'g1': name one group"):
        VideoCsv(groups, labels="several")
