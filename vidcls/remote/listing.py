"""An address of a folder -> what lies below it, a page at a time: a bucket may hold millions of objects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vidcls.errors import RemoteError
from vidcls.remote.addresses import is_web, shown
from vidcls.remote.faults import retried
from vidcls.remote.filesystems import filesystem_of
from vidcls.remote.limits import limits

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedName:
    """One thing in a listing.

    Args:
        name: relative to the folder, with forward slashes.
        is_folder: whether other names begin with it and a slash; only where one level is listed.
        num_bytes: its size; 0 of a folder.
    """

    name: str
    is_folder: bool = False
    num_bytes: int = 0


def listed(address: str, *, deep: bool = True) -> Iterator[ListedName]:
    """The names of objects below a folder, in the server's order; none where there is no such folder.

    Names that lead elsewhere (``..``) or cannot be a file's (an empty step) are left out, and a warning counts them.

    Args:
        address: of the folder.
        deep: at any depth; else those directly in it, and the folders there.

    Raises:
        RemoteError: it cannot be listed.
    """
    scheme = address.partition("://")[0].lower()
    if is_web(address):
        raise RemoteError(
            f"{shown(address)}: the files of a web server cannot be listed: pass a csv file with their addresses"
        )
    fs: Any = filesystem_of(scheme)
    found = _pages(fs, address, deep=deep) if scheme == "s3" else _found(fs, address, deep=deep)
    first_odd, num_odd = "", 0
    for each in found:
        if all(step not in ("", ".", "..") for step in each.name.split("/")):
            yield each
        elif not each.name.endswith("/") and each.name:  # else what some programs write to stand for a folder
            num_odd += 1
            first_odd = first_odd or each.name
    if num_odd:
        _log.warning(
            "%s: %d objects are left out whose names no file can have, such as %r: rename them",
            *(shown(address), num_odd, first_odd),
        )


def _pages(fs: Any, address: str, *, deep: bool) -> Iterator[ListedName]:
    """Of S3: a thousand at a time, each page asked for again where it fails, none kept."""
    from fsspec.asyn import sync

    bucket, key, _ = fs.split_path(address)
    prefix = f"{key.rstrip('/')}/" if key else ""
    wanted: dict[str, str] = {"Bucket": bucket, "Prefix": prefix, **({} if deep else {"Delimiter": "/"})}
    seconds = limits().most_seconds(0)
    while True:
        page = retried(address, lambda: sync(fs.loop, fs._call_s3, "list_objects_v2", timeout=seconds, **wanted))
        for one in page.get("CommonPrefixes") or ():
            yield ListedName(one["Prefix"][len(prefix) :].rstrip("/"), is_folder=True)
        for one in page.get("Contents") or ():
            yield ListedName(one["Key"][len(prefix) :], num_bytes=one["Size"])
        if not page.get("IsTruncated"):
            return
        wanted["ContinuationToken"] = page["NextContinuationToken"]


def _found(fs: Any, address: str, *, deep: bool) -> Iterator[ListedName]:
    """Of the others, by what fsspec has for them, which keeps all names at once."""
    root = fs._strip_protocol(address).rstrip("/") + "/"

    def ask() -> list[tuple[str, str, int]]:
        try:
            items = _all(fs, address) if deep else _one_level(fs, address)
        except FileNotFoundError:
            return []
        return [(str(item["name"]), str(item.get("type")), item.get("size") or 0) for item in items]

    for name, kind, num_bytes in retried(address, ask):
        if name.startswith(root):
            yield ListedName(name[len(root) :].rstrip("/"), kind == "directory", num_bytes)


def _all(fs: Any, address: str) -> list[dict[str, Any]]:
    return list(_answer(fs, "find", address, detail=True).values())


def _one_level(fs: Any, address: str) -> list[dict[str, Any]]:
    return list(_answer(fs, "ls", address, detail=True))


def _answer(fs: Any, method: str, address: str, **options: Any) -> Any:
    if getattr(fs, "async_impl", False) and asyncio.iscoroutinefunction(getattr(fs, f"_{method}", None)):
        from fsspec.asyn import sync

        return sync(fs.loop, getattr(fs, f"_{method}"), address, timeout=limits().listing_seconds, **options)
    return getattr(fs, method)(address, **options)
