"""A request -> whether it may be answered at all: the host that it names, the page that it comes from, its token."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vidcls.serve.description import POLICY
from vidcls.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = ("/", "/health", "/docs", "/openapi.json")
"""What anybody may read: it says nothing of videos or of the model."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REPORT_POLICY = (  # all that it shows is in its file
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
POLICIES = {"/": _PAGE_POLICY, "/docs": POLICY, "/report": _REPORT_POLICY}
"""What a browser may load for the pages of the server: nothing from elsewhere."""
log = logging.getLogger("vidcls.serve")


class Guard:
    """Stands before the application: refuses before any of a body is read, and writes a line for each request.

    The line has the method, the path without its query, the status and the time, and nothing that a client sent
    beside them.

    Args:
        app: what is guarded.
        token: which ``Authorization: Bearer`` must have; None asks for none.
        is_local: only this machine reaches the server: then names of other hosts are refused, which a page from
            elsewhere would use to read answers (DNS rebinding).
        host_names: which are answered to as well, and whose pages may ask: those of a proxy before the server.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, is_local: bool, host_names: Sequence[str] = ()) -> None:
        self._app, self._token, self._is_local = app, token, is_local
        self._host_names = tuple(name.lower() for name in host_names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_headers(scope["path"])]
            await send(message)

        try:
            self._check(scope)
        except Refusal as refusal:
            from starlette.responses import JSONResponse

            answer = JSONResponse(refusal.content, refusal.status, headers={**refusal.headers, "Connection": "close"})
            await answer(scope, receive, noting)
        else:
            await self._app(scope, receive, noting)
        finally:
            log.debug("%s %r %d %.0f ms", scope["method"], scope["path"], status, 1e3 * (time.perf_counter() - start))

    def _check(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, names = headers.get(b"host", ""), (*LOCAL_NAMES, *self._host_names)
        if self._is_local and _name(host) not in names:
            words = f"this server answers as {', '.join(names)} alone; use one of these names, or start it with"
            raise Refusal(403, "host", f"{words} --host_name")
        origin = headers.get(b"origin")
        reads = scope["method"] in ("GET", "HEAD")
        page = host if origin is None or reads else origin.partition("://")[2]
        if page != host and _name(page) not in self._host_names:
            raise Refusal(
                403, "origin", "requests from pages of other sites are not answered; send them from a program"
            )
        if self._token is None or scope["path"] in OPEN_PATHS:
            return
        given = headers.get(b"authorization", "")
        scheme, _, token = given.partition(" ")
        expected = self._token.encode("utf-8", errors="surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode("latin-1"), expected):
            raise Refusal(401, "token", "a token is needed: send the header Authorization: Bearer TOKEN")


def _name(host: str) -> str:
    """A host without its port."""
    return (host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]).lower()


def _headers(path: str) -> Iterable[tuple[bytes, bytes]]:
    """What keeps a browser from reading more into an answer than there is."""
    yield b"x-content-type-options", b"nosniff"
    yield b"referrer-policy", b"no-referrer"
    yield b"cache-control", b"no-store"
    if path in POLICIES:
        yield b"content-security-policy", POLICIES[path].encode()
