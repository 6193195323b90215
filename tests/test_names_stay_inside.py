"""A name from a data set, a csv file or a checkpoint never makes a file outside of the folder that was chosen."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidcls.artifacts.places import path_inside, place_inside
from vidcls.artifacts.writers import Writers
from vidcls.callbacks import WandbRun
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PreparedFolder, PrepareSettings
from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.errors import ConfigurationError, DatasetError, FlowError
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import precompute
from vidcls.flow.store import FlowStore
from vidcls.jobs import local_pool
from vidcls.predict.inputs import find_videos, names_below_common_folder
from vidcls.predict.overlay import overlay_path
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

OUTWARDS = ["../x", "a/../../x", "/etc/x", "..", "a/..", "", "x\0y"]
SMALL = PrepareSettings(short_side_px=16)


@pytest.fixture
def all_below(tmp_path: Path) -> Iterator[Path]:
    """The only folder in which the test may leave anything."""
    before = {*tmp_path.rglob("*")}
    inside = tmp_path / "inside"
    inside.mkdir()
    yield inside
    outside = [path for path in {*tmp_path.rglob("*")} - before - {inside} if not path.is_relative_to(inside)]
    assert outside == []


@pytest.mark.parametrize("name", OUTWARDS)
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    record = VideoRecord(source=LocalFile(tmp_path / "v.avi"), label="a", split="train", name=name)
    folder = PreparedFolder.open(tmp_path / "copy", SMALL, [], Writers(tmp_path / "copy"))
    with pytest.raises(DatasetError, match="leads out of the folder"):
        path_inside(tmp_path, name)
    with pytest.raises(DatasetError, match="leads out of the folder"):
        folder.copy_of(record.name)


@pytest.mark.skipif(sys.platform != "win32", reason="drives and backslashes lead elsewhere on Windows alone")
@pytest.mark.parametrize("name", ["C:\\x", "C:x", "..\\x", "a\\..\\..\\x", "\\\\server\\share\\x"])
def test_so_is_a_drive_or_a_backslash(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="leads out of the folder"):
        path_inside(tmp_path, name)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names on Windows")
@pytest.mark.parametrize("name", ["..\\..\\x.avi", "C:\\x.avi", "new\nline.avi", "\x1b[31mred.avi", "...avi", "~.avi"])
def test_an_odd_name_is_the_name_of_a_file_inside(name: str, all_below: Path, clip_folder: Path) -> None:
    source = all_below / "videos" / "wave"
    source.mkdir(parents=True)
    shutil.copy(clip_folder / "test" / "left" / "0.avi", source / f"x{name}")
    records = [VideoRecord(LocalFile(source / f"x{name}"), "wave", "train", name)]
    prepare(records, all_below / "copy", SMALL, pool=local_pool(0))
    precompute(records, all_below / "flow", FlowSettings(), pool=local_pool(1))
    assert (all_below / "copy" / "videos" / f"{name}.jpeg.avi").is_file()
    assert (all_below / "flow" / f"{name}.flow").is_file()


def test_a_csv_that_lists_files_elsewhere_gives_them_names_inside(all_below: Path, clip_folder: Path) -> None:
    video = clip_folder / "test" / "left" / "0.avi"
    way_out = os.path.relpath(video, all_below)
    rows = [f"{way_out},left,train", f"{clip_folder}/test/right/0.avi,right,train"]
    (all_below / "clips.csv").write_text("\n".join(["path,label,split", *rows]))
    records = VideoCsv(all_below / "clips.csv", val_fraction=0.0).records
    assert all(record.name.startswith("outside/") and ".." not in record.name for record in records)
    done = prepare(records, all_below / "copy", SMALL, pool=local_pool(0))
    assert (len(done.videos), done.failures) == (2, [])
    assert len([*(all_below / "copy" / "videos").rglob("*.avi")]) == 2


def test_the_list_of_a_copy_from_a_stranger_is_read_as_any_other(all_below: Path, clip_folder: Path) -> None:
    copy = all_below / "copy"
    prepare(VideoFolder(clip_folder).records[:2], copy, SMALL, pool=local_pool(0))
    (copy / "clips.csv").write_text(f"path,label,split\n{'../' * 20}no/such/video.avi,left,train\n")
    with pytest.raises(DatasetError, match=r"no/such/video\.avi"):
        VideoCsv(copy / "clips.csv", val_fraction=0.0)
    (copy / "prepared.csv").write_text(
        (copy / "prepared.csv").read_text().splitlines()[0] + "\n../../../x,1,d,1,1,1.0\n"
    )
    with pytest.raises(DatasetError, match="has a copy of other videos"):
        prepare(VideoFolder(clip_folder).records[:2], copy, SMALL, pool=local_pool(0))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_in_the_data_is_no_link_in_what_is_written(all_below: Path, clip_folder: Path) -> None:
    (all_below / "data").mkdir()
    for label in ("left", "right"):
        (all_below / "data" / label).symlink_to(clip_folder / "train" / label)
    records = VideoFolder(all_below / "data").records
    before = {*clip_folder.rglob("*")}
    prepare(records, all_below / "copy", SMALL, pool=local_pool(0))
    precompute(records, all_below / "flow", FlowSettings(), pool=local_pool(1))
    assert {*clip_folder.rglob("*")} == before
    assert not any(path.is_symlink() for name in ("copy", "flow") for path in (all_below / name).rglob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path, clip_folder: Path) -> None:
    records = VideoFolder(clip_folder).records[:1]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    prepare(records, tmp_path / "copy", SMALL, pool=local_pool(0))
    precompute(records, tmp_path / "flow", FlowSettings(), pool=local_pool(1))
    for root in (tmp_path / "copy" / "videos", tmp_path / "flow"):
        part = root / records[0].name.partition("/")[0]
        shutil.rmtree(part)
        part.symlink_to(elsewhere)
        with pytest.raises(DatasetError, match="is a link that leads out of"):
            place_inside(root, records[0].name)
    with pytest.raises(DatasetError, match="is a link that leads out of"):
        prepare(records, tmp_path / "copy", SMALL, pool=local_pool(0))
    report = precompute(records, tmp_path / "flow", FlowSettings(), pool=local_pool(1))
    assert "is a link that leads out of" in report.failures[0][1]
    assert [*elsewhere.rglob("*")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="other limits on Windows")
def test_a_name_that_gets_too_long_is_one_failure_among_good_videos(all_below: Path, clip_folder: Path) -> None:
    good = VideoFolder(clip_folder).records[:1]
    long_name = "x" * 250 + ".avi"
    source = all_below / long_name
    shutil.copy(good[0].path, source)
    records = [*good, VideoRecord(LocalFile(source), "left", "train", long_name)]
    prepared = prepare(records, all_below / "copy", SMALL, pool=local_pool(0))
    flow = precompute(records, all_below / "flow", FlowSettings(), pool=local_pool(1))
    assert [video.name for video in prepared.videos] == [good[0].name]
    assert [name for name, _ in prepared.failures] == [name for name, _ in flow.failures] == [long_name]
    assert FlowStore(all_below / "flow").num_fields(good[0]) == 7
    with pytest.raises(FlowError, match="has no flow of"):
        FlowStore(all_below / "flow").num_fields(records[1])


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_an_overlay_lies_below_its_folder_wherever_the_videos_lie(tmp_path: Path, clip_folder: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "link.avi").symlink_to(clip_folder / "test" / "left" / "0.avi")
    wanted = [str(tmp_path / "a" / "deep" / ".." / "deep" / "link.avi"), str(clip_folder / "test" / "right" / "0.avi")]
    for name in names_below_common_folder(find_videos(wanted)):
        assert overlay_path(tmp_path / "out", name).resolve().is_relative_to(tmp_path / "out")


@pytest.mark.parametrize("run_id", ["../../x", "a/b", "", "x" * 200, "a\nb", "C:x"])
def test_a_run_id_of_a_checkpoint_is_no_path(run_id: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the id of a run"):
        WandbRun().resume(run_id)
