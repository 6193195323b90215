"""Files at a place, of this machine or at an address: written whole or not at all, and asked for by the same words.

An object store has no folders, no locks and no way to add to an object; what it has is that an object appears when all
of it has arrived. So a file is written on this machine first, and then sent.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

from vidcls import files, settings_file
from vidcls.errors import RemoteError
from vidcls.files import ODD_NAMES
from vidcls.remote.faults import retried
from vidcls.remote.filesystems import filesystem_of
from vidcls.remote.listing import listed
from vidcls.remote.places import Place, is_remote
from vidcls.remote.range_file import open_ranges
from vidcls.remote.requests import facts_of
from vidcls.remote.transfer import upload


@contextmanager
def atomic_write(place: Place) -> Iterator[Path]:
    """A temporary file to write to, which becomes ``place`` when the block ends well; see `vidcls.files`.

    Raises:
        OSError: it cannot be written.
        RemoteError: it cannot be sent.
    """
    if not is_remote(place):
        with files.atomic_write(place) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="vidcls-") as folder:
        temporary = Path(folder) / f"file{place.suffix}"
        yield temporary
        upload(temporary, place)


def write_text(place: Place, text: str) -> None:
    """As :func:`vidcls.files.write_text`, at any place."""
    with atomic_write(place) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ODD_NAMES["escaped"])


def write_csv(
    place: Place, rows: Iterable[Iterable[object]], *, odd_names: Literal["escaped", "kept"] = "escaped"
) -> None:
    """As :func:`vidcls.files.write_csv`, at any place."""
    errors = ODD_NAMES[odd_names]
    with atomic_write(place) as temporary, temporary.open("w", encoding="utf-8", errors=errors, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def remove_file(place: Place) -> None:
    """Remove it, where it is there."""
    if is_remote(place):
        retried(str(place), lambda: _removed(str(place)))
    else:
        place.unlink(missing_ok=True)


def open_binary(place: Place) -> BinaryIO:
    """Its bytes, to be read from any part on.

    Raises:
        OSError: it is not there, or cannot be read.
        RemoteError: it cannot be fetched.
    """
    if not is_remote(place):
        return place.open("rb")
    try:
        return open_ranges(str(place))
    except RemoteError as error:
        if error.is_missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place)) from error
        raise


def read_json(place: Place) -> Any:
    """As :func:`vidcls.settings_file.read_json`, at any place.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is no JSON in UTF-8, or passes a limit.
        RemoteError: it cannot be fetched.
    """
    if not is_remote(place):
        return settings_file.read_json(place)
    with open_binary(place) as file:
        content = file.read(settings_file.MAX_JSON_BYTES + 1)
    if len(content) > settings_file.MAX_JSON_BYTES:
        raise settings_file.JsonLimitError(f"has more than {settings_file.MAX_JSON_BYTES:,} bytes")
    return settings_file.parse_json(content)


def open_text(place: Place) -> TextIO:
    """Its text in UTF-8, with the ends of its lines as they are, as the csv module wants them.

    Raises:
        OSError: it is not there, or cannot be read.
        RemoteError: it cannot be fetched.
    """
    return io.TextIOWrapper(open_binary(place), encoding="utf-8", newline="")


def make_folder(folder: Place) -> None:
    """Make it where it does not exist; an object store has no folders."""
    if not is_remote(folder):
        folder.mkdir(parents=True, exist_ok=True)


def holds_files(folder: Place) -> bool:
    """Whether it has a file or folder that is not hidden, or is a file itself."""
    if is_remote(folder):
        return is_file(folder) or any(not each.name.startswith(".") for each in listed(str(folder), deep=False))
    return folder.exists() and (not folder.is_dir() or any(not path.name.startswith(".") for path in folder.iterdir()))


def free_bytes_at(place: Place) -> int | None:
    """The room on its disk; None where there is no disk."""
    if is_remote(place):
        return None
    return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free


def is_file(place: Place) -> bool:
    """Whether a file is there; False where its name is too long to be one."""
    return num_bytes_of(place) is not None if is_remote(place) else os.path.isfile(place)  # noqa: PTH113


def num_bytes_of(place: Place) -> int | None:
    """Its size; None where there is no such file."""
    if is_remote(place):
        try:
            return facts_of(str(place)).num_bytes
        except RemoteError as error:
            if error.is_missing:
                return None
            raise
    try:
        return place.stat().st_size if place.is_file() else None
    except OSError:
        return None


def files_below(folder: Place, suffix: str = "") -> dict[str, int]:
    """All files below a folder with this suffix, at any depth: bytes by name below it, with forward slashes.

    One listing, where asking for each file of an object store would take a message each.
    """
    if is_remote(folder):
        return {each.name: each.num_bytes for each in listed(str(folder)) if each.name.endswith(suffix)}
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob(f"*{suffix}")
        if path.is_file()
    }


def _removed(address: str) -> None:
    with suppress(FileNotFoundError):
        filesystem_of(address.partition("://")[0]).rm_file(address)
