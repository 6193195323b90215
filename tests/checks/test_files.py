from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from object_servers import WebServer

from vidcls.checks.cache import CheckCache
from vidcls.checks.files import allowed_seconds, check_files
from vidcls.errors import DatasetError, MissingExtraError
from vidcls.jobs import InThisProcess, local_pool
from vidcls.types import VideoRecord
from vidcls.video import LocalFile, RemoteFile

JOBS = """
import os
import signal
import time
from pathlib import Path

from vidcls.errors import DatasetError, MissingExtraError
from vidcls.checks.examined import Examined
from vidcls.video.health import Health

ENDS = {"crash.mp4": signal.SIGSEGV, "killed.mp4": signal.SIGKILL}


def examined(record):
    with (Path(record.path).parent / "opened.txt").open("a") as file:
        file.write(record.name + " ")
    if record.name in ENDS:
        os.kill(os.getpid(), ENDS[record.name])
    if record.name == "hang.mp4":
        time.sleep(3600)
    if record.name == "extra.mp4":
        raise MissingExtraError("the decoder cannot be imported")
    if record.name == "raises.mp4":
        raise RuntimeError("a mistake in a decoder")
    return Examined(Health(num_frames=5, digest=record.name), "ab")
"""
NAMES = ("a.mp4", "crash.mp4", "b.mp4", "hang.mp4", "raises.mp4", "killed.mp4", "c.mp4")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "fake_examination.py").write_text(JOBS)  # worker processes import it by name
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fake_examination")
    del sys.modules["fake_examination"]


@pytest.fixture
def records(tmp_path: Path) -> list[VideoRecord]:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"x")
    return [
        VideoRecord(source=LocalFile(tmp_path / name), label="", split="train", name=name)
        for name in (*NAMES, "missing.mp4")
    ]


def opened(folder: Path) -> list[str]:
    """The files that were opened since the last look."""
    names = (folder / "opened.txt").read_text().split() if (folder / "opened.txt").exists() else []
    (folder / "opened.txt").unlink(missing_ok=True)
    return sorted(names)


def test_a_crash_and_a_hang_are_findings_about_their_files_and_are_not_tried_twice(
    tmp_path: Path, fake: ModuleType, records: list[VideoRecord]
) -> None:
    done: list[int] = []

    def check(*, most_seconds: float = 1.5, recheck: bool = False) -> dict[str, tuple[str, str]]:
        found = check_files(
            records,
            CheckCache(tmp_path / "cache"),
            pool=local_pool(2),
            most_seconds=most_seconds,
            progress=done.append,
            recheck=recheck,
            job=fake.examined,
        )
        assert found.num_opened == len((tmp_path / "opened.txt").read_text().split())
        return {
            Path(s.name).name: (checked.health.fault, checked.health.reason) for s, checked in found.by_source.items()
        }

    found = check()
    assert found == {
        "a.mp4": ("", ""),
        "b.mp4": ("", ""),
        "c.mp4": ("", ""),
        "crash.mp4": ("crash", "the process that read it ended by signal SIGSEGV"),
        "killed.mp4": ("crash", "the process that read it ended by signal SIGKILL"),
        "hang.mp4": ("hang", "it was not read within 1.5 seconds, and its process was ended"),
        "raises.mp4": ("undecodable", "RuntimeError: a mistake in a decoder"),
        "missing.mp4": ("missing", "No such file or directory"),
    }
    assert sum(done) == len(records)
    assert opened(tmp_path) == sorted(NAMES)

    assert check() == found
    assert opened(tmp_path) == ["killed.mp4"]  # by something else than the file, such as a lack of memory
    (tmp_path / "b.mp4").write_bytes(b"changed")
    check(most_seconds=2.0)
    assert opened(tmp_path) == ["b.mp4", "hang.mp4", "killed.mp4"]
    check(most_seconds=1.0, recheck=True)
    assert opened(tmp_path) == sorted(NAMES)


def test_what_was_found_before_an_interruption_is_kept(
    tmp_path: Path, fake: ModuleType, records: list[VideoRecord]
) -> None:
    num_done = 0

    def interrupt(num: int) -> None:
        nonlocal num_done
        num_done += num
        if num_done > 2:  # the missing one, and one that was read
            raise KeyboardInterrupt

    sound = [record for record in records if record.name in ("a.mp4", "b.mp4", "c.mp4", "missing.mp4")]
    with pytest.raises(KeyboardInterrupt):
        check_files(
            sound,
            CheckCache(tmp_path / "cache"),
            pool=local_pool(1),
            most_seconds=60,
            progress=interrupt,
            job=fake.examined,
        )
    opened(tmp_path)
    found = check_files(sound, CheckCache(tmp_path / "cache"), pool=local_pool(1), most_seconds=60, job=fake.examined)
    assert len(found.by_source) == 4
    assert found.num_opened == 1
    assert len(opened(tmp_path)) == 1


def test_a_decoder_that_is_not_installed_is_no_fault_of_the_files(tmp_path: Path, fake: ModuleType) -> None:
    (tmp_path / "extra.mp4").write_bytes(b"x")
    records = [VideoRecord(source=LocalFile(tmp_path / "extra.mp4"), label="", split="train", name="extra.mp4")]
    cache = CheckCache(tmp_path / "cache")
    with pytest.raises(MissingExtraError, match="the decoder cannot be imported"):
        check_files(records, cache, pool=local_pool(1), most_seconds=60, job=fake.examined)
    assert cache.find(tmp_path / "extra.mp4") is None


def test_a_large_file_is_given_the_time_in_which_a_slow_disk_gives_its_bytes() -> None:
    assert allowed_seconds(60, 2_000) == pytest.approx(60, abs=0.01)
    assert allowed_seconds(60, 6_000_000_000) == pytest.approx(360)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_that_cannot_keep_an_object_is_no_fault_of_the_video(
    number: int, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/cache/a.mp4")

    web.files["/a.mp4"] = b"x"
    source = RemoteFile(f"{web.url}/a.mp4")
    records = [VideoRecord(source=source, label="", split="train", name="a.mp4")]
    cache = CheckCache(tmp_path / "checks")
    monkeypatch.setattr("vidcls.remote.object_cache._write", fails)
    if number == errno.ENOSPC:
        with pytest.raises(DatasetError, match=r"objects/.*\.mp4: the disk is full"):
            check_files(records, cache, pool=InThisProcess(), most_seconds=60)
    else:
        found = check_files(records, cache, pool=InThisProcess(), most_seconds=60).by_source[source].health
        assert found.fault == "unreachable"
        assert "/cache/a.mp4" in found.reason
    assert cache.find(source) is None
