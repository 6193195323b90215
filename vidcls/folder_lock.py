"""A folder that one process at a time writes to: a lock that ends with its process, and a file that says who has it.

::

    runs/mine/.lock         locked by the operating system, which releases it however the process ends
    runs/mine/.lock.json    {"process_id": 4242, "host": "box", "command": "vidcls fit ...", "started": "2026-..."}

The second file only informs: after a crash it is still there, and means nothing where the first is not locked.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import socket
import sys
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from vidcls.errors import ConfigurationError, FolderInUseError
from vidcls.files import FULL_DISK, remove_leftovers, write_text
from vidcls.settings_file import read_json

LOCK_FILE = ".lock"
HOLDER_FILE = f"{LOCK_FILE}.json"
LOCK_FILES = frozenset((LOCK_FILE, HOLDER_FILE))
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)  # some network file systems have none
MOST_COMMAND_LETTERS = 200
MOST_TRIES = 100
_log = logging.getLogger(__name__)


class FolderLock:
    """Keeps other commands from writing to a folder, until it is released or this process ends.

    Processes that this one forks do not keep it; those that read need none.

    Args:
        folder: it is made where it does not exist, and removed again where nothing was written to it.
        name: of the file that is locked, for another purpose than the folder as a whole.
        what: what messages say is locked; default: the folder.
        is_kept: leave that file where it is for others to lock, as where many wait for it in turn.
    """

    def __init__(self, folder: Path, *, name: str = LOCK_FILE, what: str | None = None, is_kept: bool = False) -> None:
        self.folder = folder
        self.what = what or str(folder)
        self._name, self._holder_name = name, f"{name}.json"
        self._is_kept = is_kept
        self._is_new = False
        self._lock = FileLock(folder / name, thread_local=False)

    @property
    def is_held(self) -> bool:
        """Whether others are kept out by this lock now; not where the disk has no locks."""
        return self._lock.is_locked

    def acquire(self, *, wait: bool = False) -> None:
        """Take the lock.

        Args:
            wait: until whoever holds it has released it.

        Raises:
            FolderInUseError: another process holds it.
            ConfigurationError: the folder cannot be written to.
            OSError: the disk is full.
        """
        try:
            self._acquire(timeout_seconds=-1 if wait else 0)
            remove_leftovers(self.folder / self._holder_name)  # of a process killed while it wrote who it is
            write_text(self.folder / self._holder_name, json.dumps(_this_process(), indent=1) + "\n")
        except Timeout:
            raise FolderInUseError(
                f"{self.what}: {_holder(self.folder / self._holder_name)} is writing to it: wait until that has "
                "ended, stop it, or choose another folder"
            ) from None
        except OSError as error:
            self.release()
            if error.errno in NO_LOCKS:
                _log.warning("%s: its disk has no locks (%s): let no other command write to it", self.what, error)
            elif error.errno in FULL_DISK:
                raise
            else:
                raise ConfigurationError(
                    f"{self.folder}: cannot be written to ({error.strerror}): choose another folder"
                ) from error

    def _acquire(self, *, timeout_seconds: float) -> None:
        for _ in range(MOST_TRIES):
            self._is_new = not self.folder.is_dir()
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="flock not supported")  # filelock takes a marker file
                    self._lock.acquire(timeout=timeout_seconds)
            except FileNotFoundError:  # who held it has removed a folder that stayed empty
                continue
            return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))

    def release(self) -> None:
        """Let others write; nothing where it is not held."""
        if not self._lock.is_locked:
            return
        for name in (
            self._holder_name,
            *(() if self._is_kept else (self._name,)),
        ):  # while it is locked: who opens the file now finds it without a name
            with suppress(OSError):  # on Windows, where it is open
                (self.folder / name).unlink()
        if self._is_new:
            with suppress(OSError):  # not empty
                self.folder.rmdir()
        self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(folder: Path) -> bool:
    """Whether a process writes to a folder now; not where the folder is gone or its disk has no locks."""
    if not (folder / LOCK_FILE).is_file():  # it is removed when it is released, and stays after a crash
        return False
    lock = FileLock(folder / LOCK_FILE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _this_process() -> dict[str, object]:
    return {
        "process_id": os.getpid(),
        "host": socket.gethostname(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:MOST_COMMAND_LETTERS],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _holder(file: Path) -> str:
    """Who holds the lock, in words; a process that took it this moment may not have said so."""
    try:
        found = read_json(file)
        return f"process {found['process_id']} on {found['host']} ({found['command']}, since {found['started']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
