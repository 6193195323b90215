"""Errors of shared memory, through which loader workers hand over their batches -> one line that says what helps."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcls.errors import LoaderError

FOLDER = Path("/dev/shm")  # of Linux; in a container it often has 64 MB
LEAST_BYTES = 64 * 1024  # for the locks and counters of a loader alone
MEGABYTE = 2**20
# What torch says where there is no room in it, and where a worker ran into that.
TOO_SMALL = (
    ("shared memory", "No space left on device"),
    ("unable to write to file </torch", "No space left on device"),
    ("killed by signal: Bus error",),
)


def check_room(num_workers: int, *, folder: Path = FOLDER) -> None:
    """Refuse to start workers where not even their locks find room.

    Raises:
        LoaderError: what helps.
    """
    if num_workers and folder.is_dir() and shutil.disk_usage(folder).free < LEAST_BYTES:
        raise LoaderError(_message(folder))


@contextmanager
def naming_shared_memory(*, folder: Path = FOLDER) -> Iterator[None]:
    """Where the block fails since shared memory is too small, raise a LoaderError that says so."""
    try:
        yield
    except RuntimeError as error:
        if any(all(word in str(error) for word in words) for words in TOO_SMALL):
            raise LoaderError(_message(folder)) from error
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:  # of a lock
            raise LoaderError(_message(folder)) from error
        raise


def _message(folder: Path) -> str:
    size = ""
    if folder.is_dir():
        usage = shutil.disk_usage(folder)
        size = f" ({usage.total / MEGABYTE:.1f} MB, {usage.free / MEGABYTE:.1f} MB free)"
    return (
        f"shared memory, {folder}{size}, is too small for the batches that loader workers hand over: set "
        "--data.num_workers 0, lower --data.batch_size, or enlarge it (docker run --shm-size=2g)"
    )
