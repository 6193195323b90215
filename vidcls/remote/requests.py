"""An address -> what the server says of the object, and ranges of its bytes: of one version of it, or an error.

Where the protocol can, the server itself is told which version is meant (``If-Match``), and the answer's own ETag and
length are compared; else the caller looks again after the last range (:func:`unchanged`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vidcls.errors import RemoteError
from vidcls.remote.addresses import is_web, shown
from vidcls.remote.faults import ChangedError, ShortReplyError, retried
from vidcls.remote.filesystems import filesystem_of
from vidcls.remote.http_requests import http_head, http_range
from vidcls.remote.limits import limits
from vidcls.remote.object_facts import ObjectFacts

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

RANGE_BYTES = 16 * 2**20  # read at once
_VERSIONS = (
    "ETag",
    "etag",
    "generation",
    "md5Hash",
    "blob_id",
    "oid",
    "Last-Modified",
    "LastModified",
    "created",
    "mtime",
)


RECENT_SECONDS = 5.0
MOST_RECENT = 1000
_recent: dict[str, tuple[float, ObjectFacts]] = {}  # of this process


def facts_of(address: str) -> ObjectFacts:
    """The size and version of an object, as the server knows them now.

    Raises:
        RemoteError: there is none, or it cannot be reached.
    """
    _recent.pop(address, None)
    fs = _filesystem(address)
    ask = _s3_facts if _scheme(address) == "s3" else _http_facts if is_web(address) else _facts
    return retried(address, lambda: ask(fs, address))


def recent_facts(address: str) -> ObjectFacts:
    """The same, as this process has known them for a few seconds at most: opening one video asks several times.

    Raises:
        RemoteError: there is none, or it cannot be reached.
    """
    now = time.monotonic()
    known = _recent.get(address)
    if known is not None and now - known[0] < RECENT_SECONDS:
        return known[1]
    if len(_recent) > MOST_RECENT:
        _recent.clear()
    _recent.pop(address, None)
    facts = facts_of(address)
    _recent[address] = now, facts
    return facts


def read_range(address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:
    """The bytes from ``start`` to ``stop`` of the version that ``facts`` describe.

    Raises:
        RemoteError: they cannot be read.
        ChangedError: the object is another one now.
    """
    stop = min(stop, facts.num_bytes)
    if start >= stop:
        return b""
    fs = _filesystem(address)
    ask = _s3_range if _scheme(address) == "s3" else http_range if is_web(address) else _range

    def request() -> bytes:
        content: bytes = _in_time(fs, ask, address, start, stop, facts)
        if len(content) != stop - start:
            raise ShortReplyError(f"{len(content)} of {stop - start} bytes came")
        return content

    return retried(address, request)


def checks_version(address: str, facts: ObjectFacts) -> bool:
    """Whether the server gives a range of no other version; else :func:`unchanged` is to be asked at the end."""
    return bool(facts.version) and (is_web(address) or (_scheme(address) == "s3" and _is_etag(facts.version)))


def ranges(address: str, facts: ObjectFacts) -> Iterator[bytes]:
    """The whole content of one version, a range at a time; the last is given when the object is known to be unchanged.

    Raises:
        RemoteError: it cannot be read.
        ChangedError: the object is another one now.
    """
    waiting = b""
    for start in range(0, facts.num_bytes, RANGE_BYTES):
        if waiting:
            yield waiting
        waiting = read_range(address, start, start + RANGE_BYTES, facts)
    unchanged(address, facts)
    if waiting:
        yield waiting


def unchanged(address: str, facts: ObjectFacts) -> None:
    """Nothing, where the object is the one that ``facts`` describe.

    Raises:
        RemoteError: it cannot be reached.
        ChangedError: it is another one now.
    """
    if facts_of(address) != facts:
        raise ChangedError("it changed while it was read")


def changed_error(address: str, what: str = "read") -> RemoteError:
    """For one that changes again and again."""
    return RemoteError(f"{shown(address)}: it changed while it was {what}: wait until it is written, then try again")


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def _is_etag(version: str) -> bool:
    return version.startswith('"')


def _filesystem(address: str) -> AbstractFileSystem:
    return filesystem_of(_scheme(address))


def _in_time(fs: Any, ask: Any, address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:
    if not getattr(fs, "async_impl", False):
        return ask(fs, address, start, stop, facts)
    from fsspec.asyn import sync

    seconds = limits().most_seconds(stop - start)
    return sync(fs.loop, ask if ask is not _range else _async_range, fs, address, start, stop, facts, timeout=seconds)


def _asked(fs: Any, ask: Any, *arguments: object) -> Any:
    from fsspec.asyn import sync

    return sync(fs.loop, ask, fs, *arguments, timeout=limits().most_seconds(0))


def _facts(fs: Any, address: str) -> ObjectFacts:
    found = _asked(fs, _info, address) if getattr(fs, "async_impl", False) else fs.info(address)
    if found.get("type") == "directory" or found.get("size") is None:
        raise FileNotFoundError(f"{address} is a folder")
    return ObjectFacts(int(found["size"]), _version(found))


async def _info(fs: Any, address: str) -> dict[str, object]:
    return await fs._info(address)  # what fsspec's own `info` waits for, without a limit


def _version(found: dict[str, Any]) -> str:
    return next((str(found[name]) for name in _VERSIONS if found.get(name)), "")


def _range(fs: Any, address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:  # noqa: ARG001 - one signature
    return fs.cat_file(address, start=start, end=stop)


async def _async_range(fs: Any, address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:  # noqa: ARG001
    return await fs._cat_file(address, start=start, end=stop)


def _s3_facts(fs: Any, address: str) -> ObjectFacts:
    return _asked(fs, _s3_head, address)


async def _s3_head(fs: Any, address: str) -> ObjectFacts:
    bucket, key, _ = fs.split_path(address)
    if not key:
        raise FileNotFoundError(f"{address} is a bucket")
    found = await fs._call_s3("head_object", Bucket=bucket, Key=key)
    return ObjectFacts(int(found["ContentLength"]), str(found.get("ETag") or found.get("LastModified") or ""))


async def _s3_range(fs: Any, address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:
    bucket, key, _ = fs.split_path(address)
    condition = {"IfMatch": facts.version} if _is_etag(facts.version) else {}
    reply = await fs._call_s3("get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{stop - 1}", **condition)
    async with reply["Body"] as body:
        content = await body.read()
    if condition and reply.get("ETag") != facts.version:
        raise ChangedError("it changed while it was read")
    return content


def _http_facts(fs: Any, address: str) -> ObjectFacts:
    return _asked(fs, http_head, address)
