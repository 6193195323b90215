"""A protocol -> fsspec's file system for it, one for each process, with limits on how long it may be silent.

An event loop does not survive a fork, so that what a parent has opened is never used by its children: each process
makes its own at its first request (https://github.com/fsspec/s3fs/issues/369).
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from vidcls.remote.limits import limits
from vidcls.remote.public_hosts import IsAllowed, allowed_hosts, guarded_session

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CONNECT_SECONDS = 10.0
_of_process: dict[
    tuple[int, str, IsAllowed | None], Any
] = {}  # those of a parent stay: closing them would wait for a loop that is gone


def filesystem_of(protocol: str) -> AbstractFileSystem:
    """The file system of a protocol, of this process alone; it retries nothing itself and keeps no listings."""
    key = (os.getpid(), protocol, allowed_hosts())
    if key not in _of_process:
        import fsspec

        options = _OPTIONS.get(protocol, dict)()
        made = fsspec.filesystem(protocol, skip_instance_cache=True, use_listings_cache=False, **options)
        if protocol == "s3":
            made.retries = 1  # `retried` counts them, and bounds their time
        _of_process.setdefault(key, made)
    return _of_process[key]


def _s3_options() -> dict[str, object]:
    timeouts = {"connect_timeout": CONNECT_SECONDS, "read_timeout": limits().silent_seconds}
    return {"config_kwargs": {**timeouts, "retries": {"total_max_attempts": 1}}}


def _http_options() -> dict[str, object]:
    import aiohttp

    watch = aiohttp.TraceConfig()
    watch.on_request_redirect.append(_refuse_other_protocol)
    silent_seconds = limits().silent_seconds
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silent_seconds)
    settings = {"timeout": timeout, "trust_env": True, "trace_configs": [watch]}
    if (is_allowed := allowed_hosts()) is None:
        return {"client_kwargs": settings}
    return {"client_kwargs": settings | {"trust_env": False}, "get_client": partial(guarded_session, is_allowed)}


class RedirectError(PermissionError):
    """A server sends its readers to an address of another protocol."""


async def _refuse_other_protocol(session: object, context: object, redirect: Any) -> None:  # noqa: ARG001 - aiohttp's
    target = redirect.response.headers.get("Location") or redirect.response.headers.get("URI") or ""
    scheme, is_absolute, _ = target.partition("://")
    if is_absolute and scheme.lower() not in (redirect.url.scheme, "https"):
        raise RedirectError(f"the server redirects to an address of {scheme}, which is not followed")


_OPTIONS = {"s3": _s3_options, "http": _http_options, "https": _http_options}
