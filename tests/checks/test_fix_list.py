from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.fix_list import fix_list, write_fix_list
from vidcls.datasets import VideoCsv
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, Split, VideoRecord
from vidcls.video import LocalFile, VideoSource
from vidcls.video.health import Health


def listed(
    root: Path, *rows: tuple[str, str, Split, str | None, Health]
) -> tuple[list[VideoRecord], dict[VideoSource, CheckedVideo]]:
    """Records of files that exist, and what is known of them; content differs but where a digest is given."""
    records, known = [], {}
    for name, label, split, group, health in rows:
        (root / name).write_bytes(name.encode())
        records.append(VideoRecord(LocalFile(root / name), label, split, name, group, {"scene": name[0]}))
        known[LocalFile(root / name)] = CheckedVideo(9, 9, replace(health, digest=health.digest or name))
    return records, known


SOUND = Health()
CRASH = Health("crash", "it ended by signal SIGSEGV")


def of(digest: str) -> Health:
    return Health(digest=digest)


def test_what_cannot_be_read_and_all_copies_but_that_of_the_test_are_left_out_with_the_reason(tmp_path: Path) -> None:
    records, known = listed(
        tmp_path,
        ("a.mp4", "sit", "train", None, SOUND),
        ("b.mp4", "walk", "train", None, of("twice")),
        ("crash.mp4", "walk", "train", None, CRASH),
        ("c.mp4", "walk", "val", None, of("twice")),
        ("d.mp4", "walk", "test", None, of("twice")),
        ("e.mp4", "walk", "train", None, of("contrary")),
        ("f.mp4", "sit", "test", None, of("contrary")),
        ("g.mp4", "walk", "train", None, SOUND),
    )
    fixed = fix_list(records, known)
    assert [record.name for record in fixed.kept] == ["a.mp4", "d.mp4", "g.mp4"]
    assert fixed.left_out == [
        ("b.mp4", "a copy of d.mp4 (test)"),
        ("crash.mp4", "crash: it ended by signal SIGSEGV"),
        ("c.mp4", "a copy of d.mp4 (test)"),
        ("e.mp4", "the same video has the labels sit, walk"),
        ("f.mp4", "the same video has the labels sit, walk"),
    ]
    assert fixed.moved == []


def test_a_group_in_two_parts_goes_where_most_of_it_is(tmp_path: Path) -> None:
    records, known = listed(
        tmp_path,
        ("a.mp4", "sit", "train", "anna", SOUND),
        ("b.mp4", "walk", "test", "anna", SOUND),
        ("c.mp4", "walk", "test", "anna", SOUND),
        ("d.mp4", "walk", "train", "ben", SOUND),
        ("e.mp4", "sit", "train", "ben", SOUND),
    )
    fixed = fix_list(records, known)
    assert [(record.name, record.split) for record in fixed.kept] == [
        ("a.mp4", "test"),
        ("b.mp4", "test"),
        ("c.mp4", "test"),
        ("d.mp4", "train"),
        ("e.mp4", "train"),
    ]
    assert fixed.moved == [("a.mp4", "from train to test, where most of the group anna is")]


@pytest.mark.parametrize("place", ["videos", "elsewhere"])
def test_the_list_is_a_data_set_of_the_same_videos_with_their_groups_and_further_columns(
    tmp_path: Path, place: str
) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    records, known = listed(
        root,
        ("a.mp4", "sit", "train", "anna", SOUND),
        ("b, c.mp4", "walk", "train", None, SOUND),
        ("d.mp4", "walk", "val", "ben", SOUND),
    )
    file = tmp_path / place / "intact.csv"
    write_fix_list(fix_list(records, known), file, root)
    found = VideoCsv(file).records
    assert [(r.path, r.label, r.split, r.extra) for r in found] == [
        (r.path, r.label, r.split, {"scene": r.name[0]}) for r in records
    ]
    assert [r.group for r in found] == ["anna", "b, c.mp4", "ben"]
    assert [r.name for r in VideoCsv(file, root=root).records] == ["a.mp4", "b, c.mp4", "d.mp4"]
    with file.open(newline="") as text:
        paths = [row["path"] for row in csv.DictReader(text)]
    assert Path(paths[0]).is_absolute() == (place == "elsewhere")


def test_no_list_is_written_over_a_file_or_where_what_is_left_is_no_data_set(tmp_path: Path) -> None:
    rows: list[tuple[str, str, Split, str | None, Health]] = [
        ("a.mp4", "sit", "train", None, CRASH),
        ("b.mp4", "walk", "train", None, SOUND),
        ("c.mp4", "sit", "test", None, SOUND),
        ("d.mp4", "walk", "val", None, SOUND),
    ]
    records, known = listed(tmp_path, *rows)
    (tmp_path / "clips.csv").write_text("path,label\n")
    with pytest.raises(DatasetError, match="already exists"):
        write_fix_list(fix_list(records, known), tmp_path / "clips.csv", tmp_path)
    assert (tmp_path / "clips.csv").read_text() == "path,label\n"
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DatasetError, match=r"what can be used is not a data set: unknown labels.*'sit'") as caught:
        write_fix_list(fix_list(records, known), tmp_path / "intact.csv", tmp_path)
    assert ".intact-" not in str(caught.value)  # the draft
    with pytest.raises(DatasetError, match="no video can be used"):
        write_fix_list(fix_list(records[:1], known), tmp_path / "intact.csv", tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_parts_that_were_drawn_without_a_look_at_the_groups_are_refolded_by_group(tmp_path: Path) -> None:
    parts: tuple[Split, ...] = ("train", "train", "val", "test")
    rows: list[tuple[str, str, Split, str | None, Health]] = [
        (f"v_{label}_g{group:02d}_c{k:02d}.avi", label, part, None, SOUND)
        for label in ("Sit", "Walk")
        for group in range(8)
        for k, part in enumerate(parts)
    ]
    records, known = listed(tmp_path, *rows)
    fixed = fix_list(records, known)
    assert fixed.is_recut
    assert len(fixed.kept) == len(records)
    write_fix_list(fixed, tmp_path / "intact.csv", tmp_path)
    found = VideoCsv(tmp_path / "intact.csv").records
    assert {record.split for record in found} == {"train", "val", "test"}
    parts_of: dict[str | None, set[str]] = {}
    for record in found:
        parts_of.setdefault(record.group, set()).add(record.split)
    assert len(parts_of) == 16
    assert all(len(parts) == 1 for parts in parts_of.values())


def test_a_file_whose_name_is_not_utf_8_is_found_again_from_the_list(tmp_path: Path) -> None:
    names = [f"{split}_{label}.mp4" for split in SPLITS for label in ("sit", "walk")] + ["train_sit_caf\udce9.mp4"]
    rows = [(name, name[:-4].split("_")[1], name.partition("_")[0], None, SOUND) for name in names]
    try:
        (tmp_path / names[-1]).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for name in names:
        (tmp_path / name).write_bytes(os.fsencode(name))
    records = [VideoRecord(LocalFile(tmp_path / name), label, split, name) for name, label, split, *_ in rows]  # type: ignore[arg-type]
    known = {record.source: CheckedVideo(9, 9, of(record.name)) for record in records}
    fixed = fix_list(records, known)
    assert fixed.left_out == []
    write_fix_list(fixed, tmp_path / "fixed.csv", tmp_path)
    assert {record.source for record in VideoCsv(tmp_path / "fixed.csv").records} == {*known}
