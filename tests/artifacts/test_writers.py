"""Shards write to one folder at the same time; the same work twice is refused in one line."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import filelock
import pytest

from vidcls.artifacts.writers import SHARDS_FOLDER, Writers
from vidcls.errors import ConfigurationError, FolderInUseError
from vidcls.folder_lock import FolderLock
from vidcls.shard import WHOLE, Shard


def test_shards_of_one_number_share_a_folder_and_know_of_each_other(tmp_path: Path) -> None:
    with Writers(tmp_path, Shard(1, 3)) as first, Writers(tmp_path, Shard(3, 3)) as third:
        with first.merging():
            assert first.others() == ["3-of-3"]
        with third.merging():
            assert third.others() == ["1-of-3"]
    with Writers(tmp_path, Shard(1, 3)) as first, first.merging():
        assert first.others() == []


@pytest.mark.parametrize(
    ("at_work", "second", "named"),
    [
        (Shard(2, 3), Shard(2, 3), "shard 2/3"),
        (Shard(2, 3), Shard(1, 2), "shard 2/3"),
        (Shard(2, 3), WHOLE, "shard 2/3"),
        (WHOLE, Shard(2, 3), ""),
        (WHOLE, WHOLE, ""),
    ],
)
def test_work_that_another_command_may_be_doing_is_refused_and_that_one_goes_on(
    tmp_path: Path, at_work: Shard, second: Shard, named: str
) -> None:
    with Writers(tmp_path / "store", at_work) as first:
        for _ in range(2):
            with pytest.raises(FolderInUseError) as refused, Writers(tmp_path / "store", second):
                pass
        with first.merging():
            pass
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith(f"{tmp_path / 'store'}{', ' if named else ''}{named}: process {os.getpid()} on ")
    with Writers(tmp_path / "store", second):  # nothing stays locked
        pass


def test_while_one_merges_the_others_wait(tmp_path: Path) -> None:
    told: list[str] = []
    with Writers(tmp_path, Shard(1, 2)) as first, Writers(tmp_path, Shard(2, 2)) as second:

        def merge() -> None:
            with second.merging():
                told.append("second")

        with first.merging():
            waiting = threading.Thread(target=merge)
            waiting.start()
            told.append("first")
        waiting.join()
    assert told == ["first", "second"]


def test_files_of_shards_at_work_are_theirs_and_those_of_ended_ones_are_to_be_merged(tmp_path: Path) -> None:
    assert Writers(tmp_path).own_file("list.csv") == tmp_path / "list.csv"
    with Writers(tmp_path, Shard(1, 3)) as killed:
        killed.own_file("list.csv").touch()
    with Writers(tmp_path, Shard(2, 3)) as second, Writers(tmp_path, Shard(3, 3)) as third:
        second.own_file("list.csv").touch()
        third.own_file("list.csv").touch()
        with third.merging():
            found = {path.name for path in third.unmerged_files("list.csv")}
    assert found == {"1-of-3.list.csv", "3-of-3.list.csv"}
    with Writers(tmp_path) as whole, whole.merging():
        assert len(whole.unmerged_files("list.csv")) == 3


def test_a_lock_file_that_a_killed_shard_left_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / SHARDS_FOLDER).mkdir()
    for name in ("2-of-3.lock", "1-of-2.lock", "merge.lock"):
        (tmp_path / SHARDS_FOLDER / name).touch()
    for shard in (Shard(2, 3), WHOLE):
        with Writers(tmp_path, shard) as writers, writers.merging():
            assert writers.others() == []


def test_on_a_disk_without_locks_shards_are_refused_and_one_command_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    with pytest.raises(ConfigurationError, match=r"its disk has no locks.*: remove --shard, or choose"):
        Writers(tmp_path, Shard(1, 2)).__enter__()
    with Writers(tmp_path / "other"):
        pass


def test_a_folder_of_one_command_is_locked_as_ever(tmp_path: Path) -> None:
    with Writers(tmp_path), pytest.raises(FolderInUseError):
        FolderLock(tmp_path).acquire()
    assert not list(tmp_path.iterdir())


def test_what_a_kill_left_of_writing_the_file_of_a_shard_is_gone_once_it_is_merged(tmp_path: Path) -> None:
    with Writers(tmp_path, Shard(1, 3)) as one, Writers(tmp_path, Shard(2, 3)):
        folder = one.own_file("done.csv").parent
        killed, at_work = folder / ".3-of-3.done-abcdefgh.csv", folder / ".2-of-3.done-abcdefgh.csv"
        killed.touch()
        at_work.touch()
        with one.merging():
            assert one.unmerged_files("done.csv") == []
        assert (killed.exists(), at_work.exists()) == (False, True)
