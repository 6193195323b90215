"""One process at a time writes to a folder; whoever comes second hears who is at it; a dead process holds nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, FolderInUseError
from vidcls.folder_lock import HOLDER_FILE, LOCK_FILE, FolderLock

# Holds a folder and forks a process as a loader does, which says so; both wait to be killed.
HOLDER = """
import os, sys, time
from pathlib import Path
from vidcls.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
if os.fork() == 0:
    print(os.getpid(), flush=True)  # what a fork has to close is closed by now
time.sleep(1000)
"""


def test_the_second_is_refused_in_one_line_that_names_process_host_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/vidcls", "fit", "--run", "my run"])
    with FolderLock(tmp_path / "run"):
        said = json.loads((tmp_path / "run" / HOLDER_FILE).read_text())
        with pytest.raises(FolderInUseError) as refused:
            FolderLock(tmp_path / "run").acquire()
    message = str(refused.value)
    assert "\n" not in message
    for word in (str(tmp_path / "run"), f"process {os.getpid()} on {said['host']}", "vidcls fit --run 'my run'"):
        assert word in message
    assert said["started"] in message


def test_afterwards_others_may_write_and_nothing_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path / "new"):
            (tmp_path / "new" / "a").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


def test_a_folder_in_which_nothing_was_written_is_removed_unless_it_was_there(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with FolderLock(tmp_path / name):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_what_a_dead_process_left_does_not_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).touch()
    (tmp_path / HOLDER_FILE).write_text("{")
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match=f"process {os.getpid()} on "):
        FolderLock(tmp_path).acquire()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_killed_process_holds_nothing_even_where_one_that_it_forked_lives_on(tmp_path: Path) -> None:
    job = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    forked = int(job.stdout.readline())
    try:
        with pytest.raises(FolderInUseError, match=f"process {job.pid} on "):
            FolderLock(tmp_path).acquire()
        job.kill()
        job.wait()
        with FolderLock(tmp_path):
            os.kill(forked, 0)  # it lives
    finally:
        os.kill(forked, signal.SIGKILL)
        job.stdout.close()


def test_one_that_waits_gets_the_folder_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []
    first, second = FolderLock(tmp_path / "new"), FolderLock(tmp_path / "new")
    first.acquire()

    def wait() -> None:
        second.acquire(wait=True)
        order.append("second")
        second.release()

    waiting = threading.Thread(target=wait)
    waiting.start()
    order.append("first")
    first.release()  # removes the folder, in which nothing was written
    waiting.join()
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file/run: cannot be written to \(Not a directory\): choose another"):
        FolderLock(tmp_path / "file" / "run").acquire()


def test_what_a_kill_in_the_middle_of_locking_left_is_gone_after_the_next_command(tmp_path: Path) -> None:
    leftover = tmp_path / "..lock-1vzssmzx.json"
    leftover.write_text("{")
    with FolderLock(tmp_path):
        assert not leftover.exists()
    assert [*tmp_path.iterdir()] == []
