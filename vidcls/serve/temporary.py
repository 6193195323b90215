"""A folder for uploads that is emptied in any case: at the end of the server, or by the next one."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

PREFIX = "vidcls-serve-"
LOCK = "in_use.lock"


class UploadFolder:
    """A folder of this process alone, in the system's folder of temporary files.

    It goes with the ``with`` block. That of a server which was killed is removed by the next server on the machine: the
    system frees a lock with its process.

    Args:
        parent: where it lies; None takes the system's folder of temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = Path(tempfile.gettempdir()) if parent is None else parent
        self.path = Path()

    def __enter__(self) -> UploadFolder:
        remove_abandoned(self._parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))  # mode 0700
        self._lock = FileLock(self.path / LOCK)
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def file(self) -> Iterator[Path]:
        """A path for the files of one request; all that begin with it are removed with the block."""
        path = self.path / uuid.uuid4().hex
        try:
            yield path
        finally:
            for file in self.path.glob(f"{path.name}*"):
                file.unlink(missing_ok=True)

    def num_files(self) -> int:
        """Files of requests that are there now."""
        return sum(1 for path in self.path.iterdir() if path.name != LOCK)


def remove_abandoned(parent: Path) -> None:
    """Remove the folders of servers that were killed."""
    for folder in parent.glob(f"{PREFIX}*"):
        lock = folder / LOCK
        if not lock.is_file():
            continue
        try:
            with FileLock(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # in use, or of another user
