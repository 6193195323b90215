"""A file below a folder that several processes write to: under another name until it is complete and on the disk."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from vidcls.files import naming

PARTIAL_FOLDER = ".partial"


@contextmanager
def complete_file(root: Path, path: Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of ``path`` when the block ends well, else it is removed.

    It lies in ``.partial`` below root, where :func:`remove_partial_files` finds what a kill left.

    Raises:
        OSError: it cannot be written; where the disk is full, the error names ``path``.
    """
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


def remove_partial_files(root: Path) -> None:
    """Remove the unfinished files of processes of this machine that no longer run."""
    partial = root / PARTIAL_FOLDER
    if not partial.is_dir():
        return
    host = socket.gethostname()
    for path in partial.iterdir():
        name, _, process_id = path.name.rpartition("-")[0].rpartition("-")
        if name == host and process_id.isdigit() and not process_is_running(int(process_id)):
            path.unlink(missing_ok=True)


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
