"""A function that writes files -> a folder that holds all of them or is not there, whoever else writes it too."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from vidcls.settings_file import read_json

MANIFEST = "manifest.json"
_LEFTOVER_SECONDS = 3600  # no writing of ours takes an hour


def write_once(folder: Path, write: Callable[[Path], None]) -> bool:
    """Fill ``folder`` by ``write(temporary_folder)`` unless it is whole already; True where it was written now.

    The folder gets its name after the last file is closed. Two processes may do this at once: the first to finish
    wins and the other throws its copy away. A folder that was written here and is not whole (changed later) is
    replaced; any other that is not empty stays as it is.

    Raises:
        FileExistsError: the folder holds files, and was not written here.
        OSError: the folder cannot be written; nothing half-written is left.
    """
    if is_whole(folder):
        return False
    if not may_be_replaced(folder):
        raise FileExistsError(errno.EEXIST, "holds other files; name an empty or a new folder", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    temporary = _beside(folder)
    temporary.mkdir()
    try:
        write(temporary)
        (temporary / MANIFEST).write_text(json.dumps(_digests(temporary), indent=0), encoding="utf-8")
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def is_written(folder: Path) -> bool:
    """Whether the folder was filled by `write_once`, whole or not: it got its name with the manifest in it."""
    return (folder / MANIFEST).is_file()


def may_be_replaced(folder: Path) -> bool:
    """Whether nobody loses anything where the folder is replaced: it is not there, is empty, or was written here."""
    return not folder.exists() or is_written(folder) or (folder.is_dir() and not any(folder.iterdir()))


def is_whole(folder: Path) -> bool:
    """Whether every file that the manifest lists is there with its content."""
    try:
        digests = read_json(folder / MANIFEST)
        return bool(digests) and all(_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):  # missing, not json, not an object
        return False


def _put_in_place(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
        return
    except OSError:
        if is_whole(folder):  # another process was first
            return
    aside = _beside(folder)
    with suppress(FileNotFoundError):  # another process has just moved it
        folder.rename(aside)  # not whole
    try:
        temporary.rename(folder)
    except OSError:
        if not is_whole(folder):
            raise
    shutil.rmtree(aside, ignore_errors=True)


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-{uuid4().hex}")


def _remove_leftovers(folder: Path) -> None:
    for path in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
