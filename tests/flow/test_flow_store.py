from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.artifacts.partial_files import PARTIAL_FOLDER
from vidcls.errors import DatasetError, FlowError
from vidcls.flow import FlowSettings, FlowStore, flow_as_stored, open_flow_store
from vidcls.flow.precompute import store_video
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.types import VideoRecord
from vidcls.video import LocalFile, open_video

MakeRecord = Callable[..., VideoRecord]
SMALL = FlowSettings(short_side_px=48)


def stored(root: Path, *records: VideoRecord, settings: FlowSettings = SMALL) -> FlowStore:
    writer = FlowStoreWriter.open(root, settings)
    for record in records:
        store_video(writer, record)
    return FlowStore(root)


def frames_of(record: VideoRecord) -> Tensor:
    with open_video(record.path) as video:
        return video.frames(range(video.num_frames))


@pytest.fixture
def record(make_record: MakeRecord) -> VideoRecord:
    return make_record()


@pytest.mark.parametrize("method", ["dis", "farneback"])
@pytest.mark.parametrize("short_side_px", [None, 48])
def test_flow_computed_at_once_equals_stored_flow_bit_for_bit(
    tmp_path: Path, record: VideoRecord, method: str, short_side_px: int | None
) -> None:
    settings = FlowSettings.from_dict({"method": method, "short_side_px": short_side_px})
    store = stored(tmp_path / "flow", record, settings=settings)
    at_once = flow_as_stored(frames_of(record), settings)
    assert at_once.shape == ((4, 2, 48, 60) if short_side_px else (4, 2, 64, 80))
    assert torch.equal(store.fields(record, range(4)), at_once)
    part = flow_as_stored(frames_of(record)[2:4], settings)  # as a clip from the middle is computed
    assert torch.equal(store.fields(record, [2]), part)


def test_long_videos_are_stored_in_chunks_with_the_same_fields(
    tmp_path: Path, record: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stored(tmp_path / "whole", record).fields(record, range(4))
    for chunk_frames in (1, 2, 3):
        monkeypatch.setattr("vidcls.flow.on_the_fly.CHUNK_BYTES", chunk_frames * 3 * 64 * 80)
        store = stored(tmp_path / f"by_{chunk_frames}", record)
        assert store.num_fields(record) == 4
        assert torch.equal(store.fields(record, range(4)), whole)


def test_fields_come_in_the_order_asked(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    fields = store.fields(record, range(4))
    assert torch.equal(store.fields(record, [3, 0, 0]), fields[[3, 0, 0]])
    assert store.fields(record, []).shape == (0, 2, 48, 60)
    for index in (4, -1):
        with pytest.raises(IndexError, match="fields 0 to 3"):
            store.fields(record, [index])


def test_a_still_clip_comes_back_all_zero(tmp_path: Path, make_record: MakeRecord, sliding_frames: Tensor) -> None:
    record = make_record("still.avi", sliding_frames[:1].repeat(4, 1, 1, 1))
    assert not stored(tmp_path / "flow", record).fields(record, range(3)).any()


def test_one_frame_is_a_video_of_no_fields(tmp_path: Path, make_record: MakeRecord, sliding_frames: Tensor) -> None:
    record = make_record("one.avi", sliding_frames[:1])
    store = stored(tmp_path / "flow", record)
    assert store.num_fields(record) == 0
    assert store.fields(record, []).shape == (0, 2, 48, 60)


def test_a_store_works_after_being_pickled(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    fields = store.fields(record, [1])
    assert torch.equal(pickle.loads(pickle.dumps(store)).fields(record, [1]), fields)


def test_the_video_may_move_and_be_touched(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    moved = replace(record, source=LocalFile(record.path.rename(tmp_path / "elsewhere.avi")))
    os.utime(moved.path, (0, 0))
    assert store.num_fields(moved) == 4


def test_flow_of_another_video_is_refused(
    tmp_path: Path, record: VideoRecord, make_record: MakeRecord, sliding_frames: Tensor
) -> None:
    store = stored(tmp_path / "flow", record)
    assert store.num_fields(record) == 4  # known as right, and noticed all the same when the video is replaced
    make_record(record.name, sliding_frames.flip(0))
    with pytest.raises(FlowError, match=r"'walk/a.avi'.*made from another video.*precompute_flow.py"):
        store.fields(record, [0])


def test_flow_of_another_bound_is_refused(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    other = stored(tmp_path / "other", record, settings=replace(SMALL, bound_px=10))
    shutil.copy(other.path_of(record), store.path_of(record))
    with pytest.raises(FlowError, match=r"was made with dis, bound 10 px.*expected dis, bound 20 px"):
        store.fields(record, [0])


def test_settings_that_are_needed_are_compared(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    store.require(SMALL)
    with pytest.raises(FlowError, match=r"made with dis, bound 20 px, short side 48, but farneback.* is needed"):
        store.require(replace(SMALL, method="farneback"))


def test_a_method_whose_constants_changed_since_is_refused(tmp_path: Path, record: VideoRecord) -> None:
    stored(tmp_path / "flow", record)
    manifest = tmp_path / "flow" / "manifest.json"
    plain = json.loads(manifest.read_text())
    plain["parameters"]["preset"] = "fast"
    manifest.write_text(json.dumps(plain))
    with pytest.raises(FlowError, match=r"fast.*this version computes with.*medium"):
        FlowStore(tmp_path / "flow")


def test_a_video_that_is_not_stored_is_named_with_the_command(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow")
    with pytest.raises(FlowError, match=r"no flow of 'walk/a.avi'.*run scripts/precompute_flow.py with --output"):
        store.num_fields(record)


def test_a_missing_video_is_named(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    record.path.unlink()
    with pytest.raises(FlowError, match=r"cannot be checked: the video .*a\.avi"):
        store.fields(record, [0])


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, record: VideoRecord, keep: float) -> None:
    store = stored(tmp_path / "flow", record)
    path = store.path_of(record)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(FlowError, match=r"a\.avi\.flow is damaged.*delete it"):
        store.fields(record, [0])


def test_every_damaged_byte_is_noticed(tmp_path: Path, record: VideoRecord) -> None:
    store = stored(tmp_path / "flow", record)
    path = store.path_of(record)
    content = path.read_bytes()
    index_begin = int.from_bytes(content[-28:-20], "little")
    for places, words in [
        (range(8, index_begin, 997), r"field \d has another CRC"),
        (range(index_begin, len(content) - 28, 37), "its index has another CRC"),
        (range(len(content) - 28, len(content)), "is damaged"),
    ]:
        for place in places:
            path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
            with pytest.raises(FlowError, match=words):
                store.fields(record, range(4))
    path.write_bytes(content)
    assert store.fields(record, range(4)).any()


@pytest.mark.parametrize("name", ["../a.avi", "walk/../../a.avi", "/etc/passwd", "", "a\0b"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, record: VideoRecord, name: str) -> None:
    store = stored(tmp_path / "flow")
    with pytest.raises(DatasetError, match="leads out of"):
        store.fields(replace(record, name=name), [0])


def test_the_manifest_counts_what_is_there(tmp_path: Path, make_record: MakeRecord) -> None:
    records = [make_record("a.avi"), make_record("b/c.avi")]
    writer = FlowStoreWriter.open(tmp_path / "flow", SMALL)
    for record in records:
        store_video(writer, record)
    writer.finish()
    manifest = FlowStore(tmp_path / "flow").manifest
    assert (manifest.num_videos, manifest.num_fields) == (2, 8)
    assert manifest.num_bytes == sum(writer.store.path_of(r).stat().st_size for r in records)
    assert manifest.settings == SMALL
    assert "torch" in manifest.versions


def test_a_writer_refuses_a_store_of_other_settings_and_a_folder_of_other_files(tmp_path: Path) -> None:
    FlowStoreWriter.open(tmp_path / "flow", SMALL)
    with pytest.raises(FlowError, match="bound 10 px"):
        FlowStoreWriter.open(tmp_path / "flow", replace(SMALL, bound_px=10))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(FlowError, match="not empty and no flow store"):
        FlowStoreWriter.open(tmp_path / "photos", SMALL)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_failure_leaves_neither_a_file_nor_a_part_of_one(tmp_path: Path, record: VideoRecord) -> None:
    writer = FlowStoreWriter.open(tmp_path / "flow", SMALL)

    def two_fields_and_an_error() -> object:
        yield torch.zeros(2, 4, 4, dtype=torch.uint8)
        yield torch.zeros(2, 4, 5, dtype=torch.uint8)

    with pytest.raises(ValueError, match="field 1"):
        writer.write(record, two_fields_and_an_error(), height_px=4, width_px=4)  # type: ignore[arg-type]
    assert not writer.store.path_of(record).exists()
    assert not list((tmp_path / "flow" / PARTIAL_FOLDER).iterdir())


def test_a_file_gets_its_name_only_when_it_is_on_the_disk(
    tmp_path: Path, record: VideoRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FlowStoreWriter.open(tmp_path / "flow", SMALL)

    def disk_error(_: int) -> None:
        assert not writer.store.path_of(record).exists()
        raise OSError("disk error")

    monkeypatch.setattr(os, "fsync", disk_error)
    with pytest.raises(OSError, match="disk error"):
        store_video(writer, record)
    assert not writer.store.path_of(record).exists()
    assert not list((tmp_path / "flow" / PARTIAL_FOLDER).iterdir())


def test_what_lies_at_a_path_decides_how_it_is_opened(tmp_path: Path) -> None:
    FlowStoreWriter.open(tmp_path / "flow", SMALL)
    assert isinstance(open_flow_store(tmp_path / "flow"), FlowStore)
    with pytest.raises(FlowError, match="is not there"):
        open_flow_store(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FlowError, match=r"neither a manifest\.json nor"):
        open_flow_store(tmp_path / "empty")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "not the manifest"),
        ('{"format": "vidcls flow store", "format_version": 9}', "9"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(FlowError, match=words):
        FlowStore(tmp_path)
