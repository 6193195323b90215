"""A folder with a limit -> room for one more file: those that were not used for longest go first, never one in use.

::

    objects/room.lock      held for the moment in which room is taken
    objects/room           the bytes that are taken, of whole files and of those that are being written
    objects/ab/abcd1234.mp4

A process that reads a file holds a shared lock on it, one that writes it an exclusive one; the operating system ends
both with the process. What can be locked exclusively is in nobody's use, and may go.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import FileLock

from vidcls.remote.limits import number

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

LIMIT = "VIDCLS_REMOTE_CACHE_GB"
DEFAULT_GB = 20.0
_KEPT_SHARE = 0.9  # of the limit, after something had to go: the folder is listed then


def limit_bytes() -> int:
    """How much the folder may hold: ``$VIDCLS_REMOTE_CACHE_GB``, or 20 GB.

    Raises:
        ConfigurationError: the variable is not a number.
    """
    return int(number(LIMIT, DEFAULT_GB) * 1e9)


class CacheRoom:
    """The room of a folder; processes share it.

    Args:
        folder: of the files.
        most_bytes: that they may take.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes

    @contextmanager
    def taken(self, num_bytes: int) -> Iterator[bool]:
        """Room for a file that is written in the block; it is given back where the block fails.

        Yields:
            whether there is room: not for a file that is larger than the limit, or where all others are in use.
        """
        has_room = self._take(num_bytes)
        try:
            yield has_room
        except BaseException:
            if has_room:
                self._take(-num_bytes)
            raise

    def _take(self, num_bytes: int) -> bool:
        if num_bytes > self._most_bytes:
            return False
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger = self.folder / "room"
        with FileLock(self.folder / "room.lock"):
            taken = _number_in(ledger)
            if taken is None or taken + num_bytes > self._most_bytes:
                taken = self._evict(int(self._most_bytes * _KEPT_SHARE) - num_bytes)
            has_room = taken + num_bytes <= self._most_bytes
            if has_room:
                taken += num_bytes
            ledger.write_text(str(max(0, taken)))
        return has_room

    def _evict(self, most_bytes: int) -> int:
        """Remove files until the others take this much at most; returns what they take."""
        files = []
        for path in self.folder.glob("??/*"):
            with suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        taken = sum(num_bytes for _, num_bytes, _ in files)
        for _, num_bytes, path in sorted(files):
            is_left_over = path.name.startswith(".")  # of a process that was killed, where nobody has it locked
            if (taken > max(0, most_bytes) or is_left_over) and _removed(path):
                taken -= num_bytes
        return taken


def _number_in(ledger: Path) -> int | None:
    try:
        return int(ledger.read_text())
    except (OSError, ValueError):
        return None


def _removed(path: Path) -> bool:
    """Whether a file that nobody uses is gone now."""
    try:
        with path.open("rb") as file:
            if not lock_alone(file):
                return False
            if fcntl is not None:
                path.unlink()
        if fcntl is None:
            path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def has_locks() -> bool:
    """Whether this system locks files as they are locked here."""
    return fcntl is not None


def lock_alone(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False where another one has it, or where the disk has no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_shared(file: IO[bytes]) -> None:
    """Keep an open file from being removed until it is closed; nothing where the disk has no locks: it keeps all."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_SH)  # an exclusive one ends in a moment


def is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is still the one that its path names."""
    try:
        there, here = os.stat(path), os.fstat(file.fileno())  # noqa: PTH116 - both alike
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)
