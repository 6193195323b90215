"""Shared memory that is too small for loader workers is one line that says what helps."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from vidcls.datasets import VideoFolder
from vidcls.errors import LoaderError
from vidcls.loading import VideoDataModule, shared_memory
from vidcls.loading.shared_memory import check_room, naming_shared_memory
from vidcls.transforms import TransformSettings

HELPS = "is too small .*--data.num_workers 0, lower --data.batch_size, or enlarge it"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)"),
        RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
def test_what_torch_and_the_system_say_of_it_is_translated(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=HELPS) as translated, naming_shared_memory(folder=tmp_path):
        raise error
    assert "\n" not in str(translated.value)
    assert f"{tmp_path} (" in str(translated.value)


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), OSError(errno.ENOSPC, "full", "/data/a.csv")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, naming_shared_memory():
        raise error
    assert raised.value is error


def test_workers_are_not_started_where_not_even_their_locks_find_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=2**16, used=2**15, free=2**15))
    check_room(0, folder=tmp_path)
    check_room(1, folder=tmp_path / "a system without it")
    with pytest.raises(LoaderError, match=HELPS):
        check_room(1, folder=tmp_path)


def test_a_worker_that_runs_into_it_is_such_an_error_with_its_reason(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_settings: object) -> None:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr("vidcls.loading.clip_dataset.train_crop", full)
    transform = TransformSettings(resize_px=None, crop_px=32, train_crop="center", flip_probability=0)
    data = VideoDataModule(clip_dataset, streams=("rgb",), transform=transform, num_workers=1)
    with pytest.raises(LoaderError, match=HELPS):
        list(data.train_dataloader())
    monkeypatch.setattr(shared_memory, "LEAST_BYTES", 2**80)
    with pytest.raises(LoaderError, match=HELPS):
        list(data.val_dataloader())
