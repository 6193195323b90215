"""Objects and places -> their content, and back: whole or absent, with retries, one line where it fails."""

from __future__ import annotations

import atexit
import os
import shutil
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidcls.errors import RemoteError
from vidcls.files import atomic_write
from vidcls.remote.addresses import is_web, shown
from vidcls.remote.faults import ChangedError, ShortReplyError, retried
from vidcls.remote.filesystems import filesystem_of
from vidcls.remote.limits import limits
from vidcls.remote.object_cache import MOST_CHANGES, ObjectCache
from vidcls.remote.requests import changed_error, facts_of, ranges

if TYPE_CHECKING:
    from upath import UPath

    from vidcls.remote.places import Place

_origins: dict[Path, str] = {}
_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


def local_copy(place: Place) -> AbstractContextManager[Path]:
    """A whole local file of what is at a place, as long as the block lasts; of a path the path itself.

    Raises:
        RemoteError: it cannot be read.
    """
    return nullcontext(place) if isinstance(place, Path) else ObjectCache().copy_of(str(place))


def kept_copy(place: UPath) -> Path:
    """A whole local file of an object, which stays until this process ends: as of a checkpoint that a command uses.

    Raises:
        RemoteError: it cannot be read.
    """
    path = _until_the_end.enter_context(ObjectCache().copy_of(str(place)))
    _origins[path] = shown(str(place))
    return path


def origin_of(path: Path) -> str:
    """What a file that :func:`kept_copy` has given is a copy of; of another one its path."""
    return _origins.get(path, str(path))


def read_bytes(place: Place) -> bytes:
    """All of a small file, past the cache.

    Raises:
        RemoteError: the object cannot be read.
        OSError: the file cannot.
    """
    if isinstance(place, Path):
        return place.read_bytes()
    address = str(place)
    for _ in range(MOST_CHANGES):
        try:
            return b"".join(ranges(address, facts_of(address)))
        except ChangedError:
            continue
    raise changed_error(address)


def exists(place: Place) -> bool:
    """Whether there is a file; of a place at an address, an object.

    Raises:
        RemoteError: it cannot be found out.
    """
    return place.is_file() if isinstance(place, Path) else object_exists(str(place))


def object_exists(address: str) -> bool:
    """Whether there is an object at an address.

    Raises:
        RemoteError: it cannot be found out.
    """
    try:
        facts_of(address)
    except RemoteError as error:
        if error.is_missing:
            return False
        raise
    return True


def upload(local: Path, place: Place) -> None:
    """Put the content of a local file at a place: all of it, or what was there before stays.

    Raises:
        RemoteError: it cannot be written.
        OSError: the local file cannot be read, or ``place`` is a path that cannot be written.
    """
    if isinstance(place, Path):
        with atomic_write(place) as temporary:
            shutil.copyfile(local, temporary)
        return
    address = str(place)
    if is_web(address):
        raise RemoteError(f"{shown(address)}: nothing can be written to a web server; pass an address of a bucket")
    fs: Any = filesystem_of(address.partition("://")[0].lower())
    num_bytes = os.stat(local).st_size  # noqa: PTH116

    def put() -> None:
        if getattr(fs, "async_impl", False):
            from fsspec.asyn import sync

            sync(fs.loop, fs._put_file, os.fspath(local), address, timeout=limits().most_seconds(num_bytes))
        else:
            fs.put_file(os.fspath(local), address)
        if facts_of(address).num_bytes != num_bytes:
            raise ShortReplyError("the object is not as long as the file")

    retried(address, put)
