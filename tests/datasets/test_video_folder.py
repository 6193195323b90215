from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vidcls.datasets import VideoFolder
from vidcls.errors import DatasetError
from vidcls.types import SPLITS

Files = Callable[[Path, Iterable[str]], None]


def splits(dataset: VideoFolder) -> dict[str, str]:
    return {record.name: record.split for record in dataset.records}


def test_a_folder_is_a_class_at_any_depth_and_other_files_do_not_count(tmp_path: Path, files: Files) -> None:
    videos = ["sit/b.MOV", "sit/monday/late/a.mp4", "walk/c.avi", "walk/d.webm"]
    files(tmp_path, [*videos, "sit/notes.txt", "walk/.hidden.mp4", ".cache/x.mp4", "walk/.trash/y.mp4", "README.md"])
    dataset = VideoFolder(tmp_path, val_fraction=0, test_fraction=0)
    assert [record.name for record in dataset.records] == videos
    assert dataset.class_names == ["sit", "walk"]


def test_without_parts_each_class_gives_its_share(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label, number in (("sit", 20), ("walk", 40)) for k in range(number)])
    dataset = VideoFolder(tmp_path, val_fraction=0.1, test_fraction=0.25)
    counts = {s: [sum(r.label == c for r in dataset.split(s)) for c in ("sit", "walk")] for s in SPLITS}
    assert counts == {"train": [13, 26], "val": [2, 4], "test": [5, 10]}


def test_a_class_that_gains_files_leaves_the_split_of_the_others_as_it_was(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(20)])
    before = splits(VideoFolder(tmp_path))
    files(tmp_path, [f"walk/more{k}.mp4" for k in range(33)] + [f"run/{k}.mp4" for k in range(7)])
    after = splits(VideoFolder(tmp_path))
    assert {n: s for n, s in after.items() if n.startswith("sit/")} == {
        n: s for n, s in before.items() if n.startswith("sit/")
    }


def test_another_seed_is_another_cut_of_the_same_sizes(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(20)])
    first, second = splits(VideoFolder(tmp_path, seed=0)), splits(VideoFolder(tmp_path, seed=1))
    assert first != second
    assert sorted(first.values()) == sorted(second.values())


def test_groups_that_span_classes_stay_together(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/p{p}_{k}.mp4" for label in ("sit", "walk", "run") for p in range(8) for k in range(3)])
    dataset = VideoFolder(tmp_path, group_pattern=r"(p\d)_")
    assert {r.group for r in dataset.records} == {f"p{p}" for p in range(8)}
    people = {s: {r.group for r in dataset.split(s)} for s in SPLITS}
    assert [len(people[s]) for s in SPLITS] == [6, 1, 1]
    assert set.union(*people.values()) == {f"p{p}" for p in range(8)}


def test_parts_that_exist_are_taken_as_they_are(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{part}/{label}/0.mp4" for part in ("train", "validation", "test") for label in ("sit", "walk")])
    assert splits(VideoFolder(tmp_path)) == {
        f"{part}/{label}/0.mp4": split
        for part, split in (("train", "train"), ("validation", "val"), ("test", "test"))
        for label in ("sit", "walk")
    }


def test_an_absent_val_part_is_cut_from_train_and_an_absent_test_part_stays_absent(
    tmp_path: Path, files: Files
) -> None:
    files(tmp_path / "a", [f"{p}/{c}/{k}.mp4" for p in ("train", "test") for c in ("sit", "walk") for k in range(10)])
    with_test = VideoFolder(tmp_path / "a", val_fraction=0.2)
    assert [len(with_test.split(s)) for s in SPLITS] == [16, 4, 20]
    assert all(r.name.startswith("train/") for r in with_test.split("val"))
    files(tmp_path / "b", [f"{p}/{c}/{k}.mp4" for p in ("train", "val") for c in ("sit", "walk") for k in range(10)])
    assert [len(VideoFolder(tmp_path / "b").split(s)) for s in SPLITS] == [20, 20, 0]


def test_a_class_may_be_called_train(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("bus", "train") for k in range(3)])
    assert VideoFolder(tmp_path).class_names == ["bus", "train"]


def test_which_folder_was_taken_for_a_class_is_said(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("bus", "train") for k in range(3)])
    assert VideoFolder(tmp_path).notes == ("the folder train is used as a class, like bus beside it",)


@pytest.mark.parametrize(
    "names",
    [
        ("training", "validation", "testing"),
        ("train_set", "valid_set", "test_set"),
        ("Train", "dev", "Test"),
        ("TRAINING", "Validate", "evaluation"),
        ("videos_train", "videos_val", "videos_test"),
    ],
)
def test_parts_with_other_usual_names_are_parts_and_never_classes(
    tmp_path: Path, files: Files, names: tuple[str, str, str]
) -> None:
    files(tmp_path, [f"{part}/{label}/0.mp4" for part in names for label in ("sit", "walk")])
    dataset = VideoFolder(tmp_path)
    assert dataset.class_names == ["sit", "walk"]
    assert splits(dataset) == {
        f"{part}/{label}/0.mp4": split for part, split in zip(names, SPLITS, strict=True) for label in ("sit", "walk")
    }
    assert dataset.notes == (f"folders used as splits: {names[0]} as train, {names[1]} as val, {names[2]} as test",)


def test_trainval_is_the_training_part_and_validation_is_cut_from_it(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{p}/{c}/{k}.mp4" for p in ("trainval", "test") for c in ("sit", "walk") for k in range(10)])
    dataset = VideoFolder(tmp_path, val_fraction=0.2)
    assert [len(dataset.split(s)) for s in SPLITS] == [16, 4, 20]


def test_parts_inside_the_classes_are_parts_too(tmp_path: Path, files: Files) -> None:
    names = [
        f"{label}/{part}/{k}.mp4" for label in ("sit", "walk") for part in ("train", "Val", "testing") for k in "ab"
    ]
    files(tmp_path, names)
    dataset = VideoFolder(tmp_path)
    assert dataset.class_names == ["sit", "walk"]
    assert splits(dataset) == {
        name: {"train": "train", "Val": "val", "testing": "test"}[name.split("/")[1]] for name in names
    }
    assert dataset.notes == ("the folders Val, testing, train inside the classes are used as splits",)


def test_classes_that_are_called_like_parts_are_named_to_be_classes(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("testing", "training", "resting") for k in range(3)])
    with pytest.raises(DatasetError, match=r"both splits .* where all are classes, --data\.dataset\.classes names"):
        VideoFolder(tmp_path)
    dataset = VideoFolder(tmp_path, classes=["testing", "training", "resting"])
    assert dataset.class_names == ["resting", "testing", "training"]


def test_other_suffixes_of_videos_are_read(tmp_path: Path, files: Files) -> None:
    suffixes = ["divx", "3g2", "f4v", "m2t", "qt", "dv", "mjpeg", "mpv", "vob", "ogv", "rm", "asf", "mxf", "nut", "y4m"]
    suffixes += ["ivf", "DIVX", "m2v", "h264"]
    files(tmp_path, [f"{label}/a.{suffix}" for label in ("sit", "walk") for suffix in suffixes])
    dataset = VideoFolder(tmp_path)
    assert len(dataset.records) == 2 * len(suffixes)
    assert dataset.notes == ()


def test_files_that_are_passed_over_are_counted_by_suffix(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(3)])
    files(tmp_path, ["sit/a.txt", "walk/b.TXT", "walk/deep/c.srt", "sit/LICENSE", "sit/.hidden", "sit/Thumbs.db"])
    assert VideoFolder(tmp_path).notes == ("skipped files without a video suffix: .txt (2), no suffix (1), .srt (1)",)


@pytest.mark.parametrize("name", ["__MACOSX", ".ipynb_checkpoints", "@eaDir", ".Trash", "$RECYCLE.BIN", "lost+found"])
def test_folders_of_the_system_are_no_classes_and_hold_no_videos(tmp_path: Path, files: Files, name: str) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(3)])
    files(tmp_path, [f"{name}/sit/._0.mp4", f"sit/{name}/0.mp4", f"{name}/x.mp4"])
    dataset = VideoFolder(tmp_path)
    assert dataset.class_names == ["sit", "walk"]
    assert len(dataset.records) == 6


def test_classes_picks_some_of_the_folders(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk", "run") for k in range(3)])
    assert VideoFolder(tmp_path, classes=["walk", "run"]).class_names == ["run", "walk"]
    with pytest.raises(DatasetError, match=r"no folder for the classes jump in .*; found run, sit, walk"):
        VideoFolder(tmp_path, classes=["walk", "jump"])


def test_a_link_to_a_folder_is_followed_and_a_circle_ends(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [*(f"data/sit/{k}.mp4" for k in range(3)), *(f"disk/{k}.mp4" for k in range(3))])
    (tmp_path / "data/walk").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/again").symlink_to(tmp_path / "disk")
    assert [r.name for r in VideoFolder(tmp_path / "data").records if r.label == "walk"] == [
        f"walk/{k}.mp4" for k in range(3)
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no videos in"),
        (["sit/a.mp4", "sit/b.mp4", "sit/c.mp4"], "only one class, 'sit'"),
        (["sit/a.mp4", "walk/notes.txt"], r"no video in the class folder .*walk; .*\(skipped files .*: \.txt \(1\)\)"),
        (["a.mp4", "sit/a.mp4", "walk/b.mp4"], r"videos without a class in .*: a\.mp4; move each"),
        (["train/a.mp4", "train/sit/a.mp4", "test/sit/b.mp4"], r"videos without a class in .*train: a\.mp4"),
        (["train/sit/a.mp4", "test/sit/b.mp4", "raw/x.mp4"], r"both splits \(test, train\) and other folders \(raw\)"),
        (["test/sit/a.mp4", "sit/a.mp4", "walk/b.mp4"], r"both splits \(test\) and other folders \(sit, walk\)"),
        (
            ["sit/train/a.mp4", "sit/test/b.mp4", "walk/c.mp4"],
            r"some classes hold splits \(as sit/test\) and others do not",
        ),
        (["sit/val/a.mp4", "walk/test/b.mp4"], "holds val, test but no train"),
        (["train/sit/a.mp4", "eval/sit/b.mp4"], "eval could mean validation or test"),
        (["val/sit/a.mp4", "test/sit/b.mp4"], "holds test, val but no train"),
        (["train/sit/a.mp4", "val/sit/b.mp4", "validation/sit/c.mp4"], "one split twice: val, validation"),
        (["train/sit/a.mp4", "train/sit/b.mp4", "train/run/b.mp4", "test/walk/a.mp4"], r"'walk' \(test, .*walk/a\.mp4"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, files: Files, names: list[str], words: str) -> None:
    files(tmp_path, names)
    with pytest.raises(DatasetError, match=words):
        VideoFolder(tmp_path)


def test_synthetic_videos_among_the_classes_are_no_class(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(3)])
    files(tmp_path, ["0123456789abcdef/train/red_left/0.mp4", "0123456789abcdef/manifest.json"])
    with pytest.raises(DatasetError, match=r"0123456789abcdef holds synthetic videos .*; remove that folder"):
        VideoFolder(tmp_path)


def test_a_class_folder_must_have_a_name_in_unicode_though_videos_need_none(tmp_path: Path, files: Files) -> None:
    odd = os.fsdecode(b"caf\xe9")
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk") for k in range(4)])
    try:
        files(tmp_path, [f"walk/{odd}.mp4"])
    except OSError:
        pytest.skip("this file system knows Unicode names alone")
    assert f"walk/{odd}.mp4" in splits(VideoFolder(tmp_path))
    files(tmp_path, [f"{odd}/0.mp4", f"{odd}/1.mp4"])
    with pytest.raises(DatasetError, match=r"the label 'caf\\udce9' is not valid Unicode: rename the class"):
        VideoFolder(tmp_path, val_fraction=0, test_fraction=0)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected a folder, but .*nowhere does not exist"):
        VideoFolder(tmp_path / "nowhere")


def test_a_file_without_a_group_is_named(tmp_path: Path, files: Files) -> None:
    files(tmp_path, ["sit/p1_a.mp4", "walk/nobody.mp4"])
    with pytest.raises(DatasetError, match=r"walk/nobody\.mp4: no group found by group_pattern"):
        VideoFolder(tmp_path, group_pattern=r"(p\d)_")


def test_a_group_in_two_parts_is_refused(tmp_path: Path, files: Files) -> None:
    files(
        tmp_path,
        [f"{p}/{c}/p{g}_{k}.mp4" for p, g in (("train", 1), ("test", 2)) for c in ("sit", "walk") for k in "ab"],
    )
    files(tmp_path, ["test/walk/p1_z.mp4"])
    with pytest.raises(DatasetError, match=r"groups in two splits: p1 \(test in .*p1_z\.mp4, train in"):
        VideoFolder(tmp_path, group_pattern=r"(p\d)_")


@pytest.mark.parametrize(("pattern", "words"), [("p\\d_", "has no bracket"), ("(p", "is not a regular expression")])
def test_a_pattern_without_a_group_is_refused(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        VideoFolder(tmp_path, group_pattern=pattern)


def test_a_link_that_leads_round_in_a_circle_hinders_no_other_file(clip_folder: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(clip_folder, tmp_path / "clips"))
    (root / "train/left/loop.avi").symlink_to("loop.avi")
    assert len(VideoFolder(root).records) == len(VideoFolder(clip_folder).records)
