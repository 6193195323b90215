"""UCF101, HMDB51, Kinetics and Something-Something on miniatures of their real layouts."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.datasets import HMDB51, UCF101, Kinetics, SomethingSomething, VideoDataset
from vidcls.errors import DatasetError
from vidcls.types import SPLITS

Make = Callable[[str, Path], VideoDataset]
Lines = Callable[..., Path]


def append(file: Path, line: str) -> None:
    file.write_text(file.read_text() + line + "\n")


def test_ucf101_takes_the_official_lists_and_cuts_val_by_group_within_the_class(make: Make, tmp_path: Path) -> None:
    dataset = make("UCF101", tmp_path)
    assert dataset.class_names == ["Archery", "YoYo"]
    assert [len(dataset.split(split)) for split in SPLITS] == [8, 4, 4]
    assert {r.group for r in dataset.split("test")} == {"v_Archery_g01", "v_YoYo_g01"}
    assert dataset.split("test")[0].name == "Archery/v_Archery_g01_c01.avi"


def test_ucf101_folder_and_file_may_differ_in_case_as_in_handstand_pushups(tmp_path: Path, make: Make) -> None:
    make("UCF101", tmp_path)
    name = "HandstandPushups/v_HandStandPushups_g01_c01.avi"
    (tmp_path / "UCF-101/HandstandPushups").mkdir()
    (tmp_path / "UCF-101" / name).touch()
    append(tmp_path / "lists/classInd.txt", "3 HandstandPushups")
    append(tmp_path / "lists/trainlist01.txt", f"{name} 3")
    dataset = UCF101(tmp_path / "UCF-101", tmp_path / "lists")
    assert ("HandstandPushups", "v_HandStandPushups_g01") in {(r.label, r.group) for r in dataset.records}


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("trainlist01.txt", "Yodel/v_Yodel_g02_c01.avi 3", r"trainlist01\.txt:13: unknown label 'Yodel'; classInd"),
        ("trainlist01.txt", "YoYo/v_YoYo_g02_c09.avi 1", r"trainlist01\.txt:13: YoYo has the number 1, but 2 in"),
        ("trainlist01.txt", "YoYo/clip.avi 2", r"trainlist01\.txt:13: expected Class/v_Class_g01_c01\.avi"),
        ("trainlist01.txt", "YoYo/v_YoYo_g02_c09.avi 2", r"1 of 17 videos are missing: .*trainlist01\.txt:13 -> "),
        ("testlist01.txt", "YoYo/v_YoYo_g02_c01.avi", r"testlist01\.txt:5 lists .* in two splits \(train and test\)"),
        ("classInd.txt", "three Yodel", r"classInd\.txt:3: expected a number and a class name"),
        ("classInd.txt", "3 YoYo", r"classInd\.txt:3: YoYo has the number 3, but 2 above"),
        ("classInd.txt", "2 Yodel", r"classInd\.txt:3: the number 2 is that of YoYo"),
    ],
)
def test_ucf101_names_the_line_of_each_mistake(make: Make, tmp_path: Path, file: str, line: str, words: str) -> None:
    make("UCF101", tmp_path)
    append(tmp_path / "lists" / file, line)
    with pytest.raises(DatasetError, match=words):
        UCF101(tmp_path / "UCF-101", tmp_path / "lists")


def test_ucf101_refuses_lists_that_spread_a_group(make: Make, tmp_path: Path) -> None:
    make("UCF101", tmp_path)
    (tmp_path / "UCF-101/YoYo/v_YoYo_g02_c09.avi").touch()
    append(tmp_path / "lists/testlist01.txt", "YoYo/v_YoYo_g02_c09.avi")
    with pytest.raises(DatasetError, match=r"groups in two splits: v_YoYo_g02 "):
        UCF101(tmp_path / "UCF-101", tmp_path / "lists")


def test_ucf101_has_its_classes_in_the_order_of_the_alphabet_or_of_classind(tmp_path: Path, lines: Lines) -> None:
    """The order of the numbers, in which heads of others have their logits, is that of no sorting by characters."""
    official = ["Hammering", "HammerThrow", "JumpingJack", "JumpRope"]
    lines(tmp_path / "lists/classInd.txt", *(f"{k} {name}" for k, name in enumerate(official, start=1)))
    names = [f"{c}/v_{c}_g{g:02d}_c01.avi" for c in official for g in (1, 2, 3)]
    for name in names:
        lines(tmp_path / "videos" / name)
    for file, groups in (("trainlist01.txt", "12"), ("testlist01.txt", "3")):
        lines(tmp_path / "lists" / file, *(name for name in names if name[-9] in groups))
    by_order = {
        order: UCF101(tmp_path / "videos", tmp_path / "lists", class_order=order) for order in ("sorted", "official")
    }
    assert by_order["sorted"].class_names == ["HammerThrow", "Hammering", "JumpRope", "JumpingJack"]
    assert by_order["official"].class_names == official
    assert by_order["sorted"].records == by_order["official"].records
    assert UCF101(tmp_path / "videos", tmp_path / "lists").class_names == by_order["sorted"].class_names


def test_ucf101_without_the_lists_of_a_fold_says_which_file(make: Make, tmp_path: Path) -> None:
    make("UCF101", tmp_path)
    with pytest.raises(DatasetError, match=r"cannot read the annotation .*trainlist02\.txt"):
        UCF101(tmp_path / "UCF-101", tmp_path / "lists", fold=2)


def test_hmdb51_leaves_out_what_its_split_does_not_use(make: Make, tmp_path: Path) -> None:
    dataset = make("HMDB51", tmp_path)
    assert dataset.class_names == ["brush_hair", "wave"]
    assert [len(dataset.split(split)) for split in SPLITS] == [8, 4, 4]
    assert not any("Unused" in r.name for r in dataset.records)


def test_hmdb51_groups_by_class_and_source_film(make: Make, tmp_path: Path) -> None:
    groups = {r.group for r in make("HMDB51", tmp_path).split("test")}
    assert groups == {"brush_hair/Brushing_hair_2_brush_hair", "wave/Brushing_hair_2_wave"}


def test_hmdb51_keeps_an_official_split_that_spreads_a_source_but_says_so(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("HMDB51", tmp_path)
    (tmp_path / "videos/wave/April_09_wave_f_cm_np2_fr_bad_7.avi").touch()
    append(tmp_path / "splits/wave_test_split1.txt", "April_09_wave_f_cm_np2_fr_bad_7.avi 2 ")
    with caplog.at_level(logging.WARNING):
        dataset = HMDB51(tmp_path / "videos", tmp_path / "splits")
    assert len(dataset.split("test")) == 5
    assert "groups in two splits: wave/April_09_wave" in caplog.text


@pytest.mark.parametrize("line", ["April_09_wave_u_nm_np1_ba_goo_9.avi 3", "April_09_wave_u_nm_np1_ba_goo_9.avi"])
def test_hmdb51_names_a_line_without_a_code(make: Make, tmp_path: Path, line: str) -> None:
    make("HMDB51", tmp_path)
    append(tmp_path / "splits/wave_test_split1.txt", line)
    with pytest.raises(DatasetError, match=r"wave_test_split1\.txt:11: expected a file name and 0, 1 or 2"):
        HMDB51(tmp_path / "videos", tmp_path / "splits")


def test_hmdb51_without_split_files_says_what_they_are_called(make: Make, tmp_path: Path) -> None:
    make("HMDB51", tmp_path)
    with pytest.raises(DatasetError, match=r"expected <class>_test_split3\.txt"):
        HMDB51(tmp_path / "videos", tmp_path / "splits", fold=3)


def test_kinetics_without_test_labels_tests_on_validation_and_cuts_val_from_train(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = make("Kinetics", tmp_path)
    assert "its validation is the test split" in caplog.text
    assert {r.name for r in dataset.split("test")} == {
        "val/VVVVVVVVVV0_000005_000015.mkv",
        "val/VVVVVVVVVV1_000095_000105.mkv",
    }
    assert all(r.name.startswith("train/") for r in dataset.split("val"))
    assert {r.label for r in dataset.records} == {"abseiling", "air drumming"}


def test_kinetics_with_test_labels_keeps_the_three_official_parts(make: Make, tmp_path: Path, lines: Lines) -> None:
    make("Kinetics", tmp_path)
    lines(tmp_path / "csv/test.csv", "label,youtube_id,time_start,time_end,split", "abseiling,TTTTTTTTTT0,0,10,test")
    (tmp_path / "clips/test/abseiling").mkdir(parents=True)
    (tmp_path / "clips/test/abseiling/TTTTTTTTTT0_000000_000010.mp4").touch()
    dataset = Kinetics(tmp_path / "clips", tmp_path / "csv")
    assert [len(dataset.split(split)) for split in SPLITS] == [8, 2, 1]
    assert dataset.split("test")[0].group == "TTTTTTTTTT0"


def test_kinetics_counts_clips_that_are_missing(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make("Kinetics", tmp_path)
    (tmp_path / "clips/train/abseiling/a-_00000002_000020_000030.mp4").unlink()
    with pytest.raises(
        DatasetError,
        match=r"1 of 10 clips .*train\.csv:4 -> a-_00000002_000020_000030; looked in train/ for .*missing skip",
    ):
        Kinetics(tmp_path / "clips", tmp_path / "csv")
    with caplog.at_level(logging.WARNING):
        dataset = Kinetics(tmp_path / "clips", tmp_path / "csv", missing="skip")
    assert len(dataset.records) == 9
    assert "1 of 10 clips are missing and skipped: " in caplog.text
    assert "train.csv:4 -> a-_00000002_000020_000030" in caplog.text


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (
            "train.csv",
            ["youtube_id,time_start,time_end,split", "x,0,10,train"],
            r"train\.csv:1: no column label; only the test",
        ),
        ("train.csv", ["label,id,start,end", "x,y,0,10"], r"train\.csv:1: no column youtube_id, time_start, time_end"),
        (
            "train.csv",
            ["label,youtube_id,time_start,time_end", "x,y,soon,10"],
            r"train\.csv:2: expected seconds, found 'soon'",
        ),
        (
            "train.csv",
            ["label,youtube_id,time_start,time_end", ",y,0,10"],
            r"train\.csv:2: the label or the youtube_id is empty",
        ),
        ("kinetics-400_train.csv", ["label"], r"two lists for train in .*kinetics-400_train\.csv and train\.csv"),
    ],
)
def test_kinetics_names_the_line_of_each_mistake(
    make: Make, tmp_path: Path, lines: Lines, file: str, text: list[str], words: str
) -> None:
    make("Kinetics", tmp_path)
    lines(tmp_path / "csv" / file, *text)
    with pytest.raises(DatasetError, match=words):
        Kinetics(tmp_path / "clips", tmp_path / "csv")


@pytest.mark.parametrize("form", ["csv", "list"])
def test_kinetics_in_the_layout_of_mmaction2_is_the_same(make: Make, tmp_path: Path, lines: Lines, form: str) -> None:
    """``videos_train`` and ``videos_val`` by class, the lists beside them or the csv files under another name."""
    official = make("Kinetics", tmp_path)
    clips, csv = tmp_path / "clips", tmp_path / "csv"
    classes = {"abseiling": 0, "air drumming": 1}
    for split in ("train", "val"):
        (clips / split).rename(clips / f"videos_{split}")
    for file in (clips / "videos_val").iterdir():
        label = "abseiling" if file.name.startswith("VVVVVVVVVV0") else "air drumming"
        (clips / "videos_val" / label.replace(" ", "_")).mkdir()
        file.rename(clips / "videos_val" / label.replace(" ", "_") / file.name)
    if form == "csv":
        for name in ("train", "validate", "test"):
            (csv / f"{name}.csv").rename(csv / f"kinetics_{name.removesuffix('idate')}.csv")
    else:
        for split in ("train", "val"):
            found = sorted((clips / f"videos_{split}").rglob("*.m*"))
            text = [f"{f.parent.name}/{f.name} {classes[f.parent.name.replace('_', ' ')]}" for f in found]
            lines(clips / f"kinetics400_{split}_list_videos.txt", *text)
        csv = clips
    dataset = Kinetics(clips, csv)
    assert dataset.class_names == official.class_names
    assert {(r.path.name, r.label, r.split, r.group) for r in dataset.records} == {
        (r.path.name, r.label, r.split, r.group) for r in official.records
    }
    assert all(r.path.is_file() for r in dataset.records)


def test_kinetics_names_a_line_that_is_not_mmaction2s(make: Make, tmp_path: Path, lines: Lines) -> None:
    make("Kinetics", tmp_path)
    for text, words in (
        ("clip.mp4 0", r"list_videos\.txt:2: expected a line such as class_name/clip\.mp4 0"),
        ("abseiling/b.mp4 1", r"list_videos\.txt:2: 'abseiling' has the number 1, but 0 above"),
    ):
        lines(tmp_path / "lists/kinetics400_train_list_videos.txt", "abseiling/a.mp4 0", text)
        with pytest.raises(DatasetError, match=words):
            Kinetics(tmp_path / "clips", tmp_path / "lists")


def test_kinetics_without_folders_of_splits_says_where_it_looked(make: Make, tmp_path: Path) -> None:
    make("Kinetics", tmp_path)
    (tmp_path / "clips/train").rename(tmp_path / "clips/elsewhere")
    with pytest.raises(DatasetError, match=r"8 of 10 clips are missing in .*looked in \./ for <class>/<clip>"):
        Kinetics(tmp_path / "clips", tmp_path / "csv")


def test_kinetics_without_a_training_csv_says_so(make: Make, tmp_path: Path) -> None:
    make("Kinetics", tmp_path)
    (tmp_path / "csv/train.csv").unlink()
    with pytest.raises(
        DatasetError,
        match=r"no training list in .*train\.csv.*list_videos\.txt; found test\.csv, validate",
    ):
        Kinetics(tmp_path / "clips", tmp_path / "csv")


def test_something_something_tests_on_the_official_validation(make: Make, tmp_path: Path) -> None:
    dataset = make("SomethingSomething", tmp_path)
    assert dataset.class_names == [
        "Holding something next to something",
        "Putting number of something onto something",
    ]
    assert [r.name for r in dataset.split("test")] == ["100.webm", "101.webm"]
    assert [len(dataset.split(split)) for split in SPLITS] == [6, 2, 2]


def test_something_something_reads_the_names_of_the_later_release(make: Make, tmp_path: Path) -> None:
    before = make("SomethingSomething", tmp_path).records
    for file in (tmp_path / "json").iterdir():
        file.rename(file.with_name(file.name.removeprefix("something-something-v2-")))
    assert SomethingSomething(tmp_path / "videos", tmp_path / "json").records == before


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            {"id": "3", "template": "Eating [something]"},
            r"train\.json: item 1 has the unknown label 'Eating something'",
        ),
        ({"id": "3"}, r"train\.json: item 1 has no id or no template"),
        ({"id": "333", "template": "Holding [something] next to [something]"}, r"train\.json item:1 -> .*333\.webm"),
    ],
)
def test_something_something_names_the_item_of_each_mistake(
    make: Make, tmp_path: Path, lines: Lines, item: dict[str, str], words: str
) -> None:
    make("SomethingSomething", tmp_path)
    lines(tmp_path / "json/something-something-v2-train.json", json.dumps([item]))
    with pytest.raises(DatasetError, match=words):
        SomethingSomething(tmp_path / "videos", tmp_path / "json")


def test_something_something_refuses_a_class_that_is_listed_twice(make: Make, tmp_path: Path, lines: Lines) -> None:
    make("SomethingSomething", tmp_path)
    lines(tmp_path / "json/something-something-v2-labels.json", '{"Holding": "0", "Putting": "1", "Holding": "2"}')
    with pytest.raises(DatasetError, match=r"labels\.json: 'Holding' is there twice"):
        SomethingSomething(tmp_path / "videos", tmp_path / "json")


def test_something_something_names_a_broken_and_a_missing_file(make: Make, tmp_path: Path, lines: Lines) -> None:
    make("SomethingSomething", tmp_path)
    file = lines(tmp_path / "json/something-something-v2-train.json", '[{"id": ')
    with pytest.raises(DatasetError, match=r"train\.json: not valid json"):
        SomethingSomething(tmp_path / "videos", tmp_path / "json")
    file.unlink()
    with pytest.raises(
        DatasetError, match=r"no train\.json in .*expected something-something-v2-train\.json or train\.json"
    ):
        SomethingSomething(tmp_path / "videos", tmp_path / "json")
