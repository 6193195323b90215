"""Columns and arrays -> a file that a new process maps into its memory, in place of a copy that goes through a pipe.

The file lies in the system's folder of temporary files as long as the process that wrote it needs it. Where that folder
has no room, or the receiver is no new process of this machine, as with Ray or ``pickle.dumps``, all goes along.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import get_spawning_popen
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_BYTES = 1 << 20  # less is quicker through the pipe


def goes_to_new_process(num_bytes: int) -> bool:
    """Whether what is pickled now is for a process of this machine that is being started, and worth a file."""
    return num_bytes >= LEAST_BYTES and get_spawning_popen() is not None


def file_of_batches(batches: list[pa.RecordBatch], owner: object) -> str | None:
    """A file of the batches, which lasts as long as ``owner``; None where there is no room for one."""
    import pyarrow as pa

    def write(path: str) -> None:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)

    return _file(write, owner)


def mapped_batches(path: str) -> list[pa.RecordBatch]:
    """The batches of a file; only what is looked at is read, and all processes share it."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(path))
    return [reader.get_batch(number) for number in range(reader.num_record_batches)]


def file_of_array(array: NDArray[np.generic], owner: object) -> str | None:
    """A file of an array, which lasts as long as ``owner``; None where there is no room for one."""

    def write(path: str) -> None:
        with Path(path).open("wb") as file:
            np.save(file, array)

    return _file(write, owner)


def mapped_array(path: str) -> NDArray[np.generic]:
    """The array of a file, as a view of it."""
    found: NDArray[np.generic] = np.load(path, mmap_mode="r")
    return found


def _file(write: Callable[[str], None], owner: object) -> str | None:
    try:
        handle, path = tempfile.mkstemp(prefix="vidcls-index-")
    except OSError:  # such as a full disk; what goes through the pipe is slower, and as good
        return None
    os.close(handle)
    try:
        write(path)
    except BaseException as error:
        _remove(path, os.getpid())
        if isinstance(error, OSError):
            return None
        raise
    weakref.finalize(owner, _remove, path, os.getpid())
    return path


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # not a fork of it
        with suppress(OSError):  # Windows removes no mapped file
            Path(path).unlink()
