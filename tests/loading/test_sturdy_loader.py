"""Loader workers that crash, hang or are killed: the video is named, and the batches go on as if nothing had been."""

from __future__ import annotations

import ctypes
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from factories import video_data
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from vidcls.clips.reader import ClipReader
from vidcls.datasets import VideoFolder
from vidcls.errors import DecodeError, LoaderError
from vidcls.loading import VideoDataModule
from vidcls.loading.sturdy_loader import WorkerDeathWarning
from vidcls.loading.worker_watch import WorkerWatch
from vidcls.transforms import TransformSettings
from vidcls.types import Batch, VideoRecord
from vidcls.video import open_video

BAD = "train/right/2.avi"
BAD_TEST = "test/right/1.avi"


@pytest.fixture(autouse=True)
def decoders_are_imported(clip_dataset: VideoFolder) -> None:
    """So that a forked worker has them at once: on a busy machine that takes longer than a short limit."""
    with open_video(clip_dataset.records[0].path) as video:
        video.frames([0])


@pytest.fixture(autouse=True)
def deaths_are_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader of torch looks after its workers every 5 seconds."""
    monkeypatch.setattr(_MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (0.3,))


def data_of(dataset: VideoFolder, **settings: object) -> VideoDataModule:
    defaults: dict[str, object] = {
        "clip_len": 2,
        "batch_size": 3,
        "test_batch_size": 2,
        "num_workers": 2,
        "read_limit_seconds": 60.0,
        "transform": TransformSettings(resize_px=28, crop_px=24),
    }
    return video_data(dataset, **{**defaults, **settings})


def batches_of(data: VideoDataModule, *, epoch: int = 0) -> list[Batch]:
    loader = data.train_dataloader()
    loader.set_epoch(epoch)
    try:
        return list(loader)
    finally:
        data.teardown("fit")


def trouble(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Do ``act`` in the worker that reads a video."""
    read = ClipReader._read

    def reading(self: ClipReader, record: VideoRecord, choose: object) -> object:
        if record.name == name:
            act()
        return read(self, record, choose)  # type: ignore[arg-type]

    monkeypatch.setattr(ClipReader, "_read", reading)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang() -> None:
    """As C code does that keeps Python's lock."""
    ctypes.PyDLL(None).sleep(60)


def once(folder: Path, act: Callable[[], None]) -> Callable[[], None]:
    def first() -> None:
        if not (folder / "done").exists():
            (folder / "done").touch()
            act()

    return first


def assert_same(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one["index"], other["index"])
        assert torch.equal(one["streams"]["rgb"], other["streams"]["rgb"])


def test_a_crash_that_does_not_come_again_changes_nothing(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = data_of(clip_dataset)
    expected = batches_of(data)
    for place in (0, -1):  # before any batch was handed out, and when some were
        folder = tmp_path / str(place)
        folder.mkdir()
        bad = data.split("train")[int(expected[place]["index"][-1])].name
        with monkeypatch.context() as patch:
            trouble(patch, bad, once(folder, crash))
            words = rf"{bad}: its loader worker was killed by SIGSEGV; it is read once more"
            with pytest.warns(WorkerDeathWarning, match=words):
                assert_same(batches_of(data_of(clip_dataset, num_workers=1)), expected)


@pytest.mark.parametrize(
    ("act", "words"), [(crash, "its loader worker was killed by SIGSEGV"), (hang, "is not read after 3 seconds")]
)
@pytest.mark.filterwarnings("ignore::vidcls.loading.sturdy_loader.WorkerDeathWarning")
def test_a_video_that_kills_or_holds_its_worker_is_an_error_that_names_it(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], words: str
) -> None:
    trouble(monkeypatch, BAD, act)
    with pytest.raises(DecodeError, match=rf"{BAD}: is known to be unreadable \({words}\).*--data.bad_videos skip"):
        batches_of(data_of(clip_dataset, read_limit_seconds=3.0 if act is hang else 60.0))


@pytest.mark.parametrize("act", [crash, hang])
@pytest.mark.filterwarnings("ignore::vidcls.loading.sturdy_loader.WorkerDeathWarning")
def test_where_such_a_video_is_skipped_all_other_clips_are_as_ever(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]
) -> None:
    expected = batches_of(data_of(clip_dataset))
    trouble(monkeypatch, BAD, act)
    limit = 3.0 if act is hang else 60.0
    found = batches_of(data_of(clip_dataset, bad_videos="skip", read_limit_seconds=limit))
    assert [path for batch in found for path in batch.get("skipped", ())] == [str(clip_dataset.root / BAD)]
    bad = [record.name for record in data_of(clip_dataset).split("train")].index(BAD)
    for one, other in zip(found, expected, strict=True):
        kept = other["index"] != bad
        assert torch.equal(one["index"], other["index"][kept])
        assert torch.equal(one["streams"]["rgb"], other["streams"]["rgb"][kept])


@pytest.mark.filterwarnings("ignore::vidcls.loading.sturdy_loader.WorkerDeathWarning")
def test_a_test_video_that_kills_its_worker_counts_as_wrong(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(data_of(clip_dataset).test_dataloader())
    trouble(monkeypatch, BAD_TEST, crash)
    data = data_of(clip_dataset)
    found = list(data.test_dataloader())
    ((index, label, reason),) = [video for batch in found for video in batch.get("unread", ())]
    record = data_of(clip_dataset).split("test")[index]
    assert (record.name, label) == (BAD_TEST, clip_dataset.class_names.index("right"))
    assert reason == f"{record.path}: is known to be unreadable (its loader worker was killed by SIGSEGV)"
    assert data.known_bad == {record.source: "its loader worker was killed by SIGSEGV"}  # for all that reads its videos
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one["streams"]["rgb"], other["streams"]["rgb"][other["index"] != index])


def test_workers_that_die_without_a_video_end_the_run_after_a_few_times(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcls.loading.clip_dataset.train_crop", lambda *_args, **_settings: crash())
    with (
        pytest.raises(LoaderError, match=r"died 3 times while reading no video .*SIGSEGV.*--data.num_workers"),
        pytest.warns(WorkerDeathWarning, match="without a video died"),
    ):
        batches_of(data_of(clip_dataset, num_workers=1))


def test_a_death_does_not_interrupt_what_the_main_process_does(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A step is under way while the worker dies: torch alone would raise in the middle of it."""
    data = data_of(clip_dataset, num_workers=1, batch_size=1)
    late = data.split("train")[int(batches_of(data)[-2]["index"])].name  # so that a step is under way
    trouble(monkeypatch, late, once(tmp_path, crash))
    num_batches = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkerDeathWarning)
        for _ in data.train_dataloader():
            num_batches += 1
            deadline = time.monotonic() + 0.2
            while time.monotonic() < deadline:  # Python code, between whose instructions signals are handled
                pass
    assert num_batches == 12
    assert (tmp_path / "done").exists()
    data.teardown("fit")


def test_an_error_of_the_code_itself_is_no_death(clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake() -> None:
        raise RuntimeError("a mistake")

    trouble(monkeypatch, BAD, mistake)
    with pytest.raises(RuntimeError, match="a mistake"):
        batches_of(data_of(clip_dataset))


def test_reading_outside_a_worker_is_not_timed() -> None:
    with WorkerWatch(0, 0.01).reading(3):
        time.sleep(0.05)


@pytest.mark.parametrize("wrong", [{"read_limit_seconds": 0}, {"max_bad_share": 1.5}])
def test_limits_outside_their_range_are_refused(clip_dataset: VideoFolder, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must"):
        data_of(clip_dataset, **wrong)
