"""Files that are written whole or not at all, and the folder for those that can be made again."""

from __future__ import annotations

import csv
import errno
import glob
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room, no room for this user, no larger files
ODD_NAMES = {"escaped": "backslashreplace", "kept": "surrogateescape"}


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes its place when the block ends well, else it is removed.

    Folders are made as needed, and removed with it.

    The content is on the disk before the name changes, so that after a power cut there is the old file or the new one.
    What a kill leaves begins with a dot and is nobody's input; see :func:`remove_leftovers`.

    Raises:
        OSError: it cannot be written; where the disk is full, the error names ``path``.
    """
    with _folder_for(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            with naming(path):
                yield temporary
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _folder_for(path: Path) -> Iterator[None]:
    """Make the folders that a file lies in; where the block ends badly, those that were made and are empty go again."""
    made = [folder for folder in path.parents if not folder.exists()]  # the deepest first
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # another program has put something there
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Where the disk is full, let the error name the file: a write to an open one does not."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of writing ``path``; only where no other process is writing it now."""
    for leftover in path.parent.glob(f".{glob.escape(path.stem)}-????????{glob.escape(path.suffix)}"):
        leftover.unlink(missing_ok=True)


def cache_folder() -> Path:
    """``vidcls`` in ``$XDG_CACHE_HOME`` or ``~/.cache``: for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vidcls"


def write_text(path: Path, text: str) -> None:
    """``text`` as the whole content of ``path``, in UTF-8; file names that are not Unicode stand there escaped."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ODD_NAMES["escaped"])


def write_csv(
    path: Path, rows: Iterable[Iterable[object]], *, odd_names: Literal["escaped", "kept"] = "escaped"
) -> None:
    """Rows, the header among them, as the whole content of a csv file in UTF-8.

    Args:
        path: the file.
        rows: the header among them.
        odd_names: what becomes of file names that are not Unicode: ``escaped`` can be read by everything, ``kept``
            has their bytes, by which the files are found again.
    """
    errors = ODD_NAMES[odd_names]
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", errors=errors, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Arrays by name as a compressed ``.npz`` file."""
    import numpy as np  # takes its time, and every command imports this file

    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows, the header among them, as the text of a csv file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def printable(text: str) -> str:
    """The text with what is no valid Unicode, as in some file names, written with its odd bytes in hexadecimal."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
