"""A file below a folder that several processes write to: under another name until it is complete and on the disk."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from vidcls.files import naming
from vidcls.remote.places import Place, is_remote
from vidcls.remote.whole_files import atomic_write

PARTIAL_FOLDER = ".partial"
OLD_SECONDS = 86_400.0  # after which a file of another machine is left over; a video takes minutes


@contextmanager
def complete_file(root: Place, path: Place) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of ``path`` when the block ends well, else it is removed.

    It lies in ``.partial`` below root, where :func:`remove_partial_files` finds what a kill left; of a root at an
    address in a temporary folder of this machine.

    Raises:
        OSError: it cannot be written; where the disk is full, the error names ``path``.
        RemoteError: it cannot be sent to the address.
    """
    if is_remote(root):
        with atomic_write(path) as temporary:
            temporary.unlink(missing_ok=True)  # callers make it themselves
            yield temporary
        return
    assert not is_remote(path)
    partial = root / PARTIAL_FOLDER
    partial.mkdir(exist_ok=True)
    temporary = partial / f"{_owner_prefix()}{uuid4().hex}"
    try:
        with naming(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial_files(root: Place) -> None:
    """Remove the unfinished files of processes of this machine that no longer run, and old ones of other machines.

    Whether a process of another machine runs cannot be told here; what it has not written to for a day it will not
    finish.
    """
    if is_remote(root):
        return
    partial = root / PARTIAL_FOLDER
    if not partial.is_dir():
        return
    host = socket.gethostname()
    for path in partial.iterdir():
        name, _, process_id = path.name.rpartition("-")[0].rpartition("-")
        if not process_id.isdigit():
            continue
        try:
            is_left = not process_is_running(int(process_id)) if name == host else _is_old(path)
        except FileNotFoundError:  # it was finished meanwhile
            continue
        if is_left:
            path.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > OLD_SECONDS


def process_is_running(process_id: int) -> bool:
    """Whether a process of this machine still works; one that ended and was never waited for does not."""
    if os.name == "nt":
        return True  # signal 0 is not a question there
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True  # no /proc on this system


def _owner_prefix() -> str:
    """Tells whose a file under ``.partial`` is: machine and process."""
    return f"{socket.gethostname()}-{os.getpid()}-"
