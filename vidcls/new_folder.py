"""A folder that a command fills in one go: it was empty or missing, and is so again where the command fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.folder_lock import LOCK_FILES, FolderLock


def check_new(folder: Path, *, option: str) -> None:
    """Refuse a folder that has something in it.

    Args:
        folder: it.
        option: that it was given by, for the message.

    Raises:
        ConfigurationError: it has, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or _content(folder)):
        raise ConfigurationError(f"{option} {folder}: already exists and is not an empty folder: pass a new one")


@contextmanager
def new_folder(folder: Path, *, option: str) -> Iterator[None]:
    """Within it the folder is filled, and no other command may write to it.

    Args:
        folder: it; made where it does not exist.
        option: that it was given by, for the message.

    Raises:
        ConfigurationError: it has something in it, or cannot be written to.
        FolderInUseError: another command writes to it.
    """
    with FolderLock(folder):
        check_new(folder, option=option)
        try:
            yield
        except BaseException:
            for inside in _content(folder):
                if inside.is_dir() and not inside.is_symlink():
                    shutil.rmtree(inside, ignore_errors=True)
                else:
                    with suppress(OSError):
                        inside.unlink()
            raise


def _content(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in LOCK_FILES]
