"""Requests of a web server, through the session that fsspec keeps."""

from __future__ import annotations

from typing import Any

from vidcls.remote.faults import ChangedError, ShortReplyError
from vidcls.remote.object_facts import ObjectFacts


async def http_head(fs: Any, address: str) -> ObjectFacts:
    """Size and ETag of what is at an address, by HEAD, or by a range of one byte where that is not allowed."""
    session = await fs.set_session()
    headers = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}
    async with session.head(
        fs.encode_url(address), headers={"Accept-Encoding": "identity"}, allow_redirects=True
    ) as reply:
        if reply.status not in (403, 405, 501):  # an address may be signed for GET alone
            reply.raise_for_status()
            if "Content-Length" in reply.headers:
                return ObjectFacts(int(reply.headers["Content-Length"]), _version(reply))
    async with session.get(fs.encode_url(address), headers=headers) as reply:
        reply.raise_for_status()
        total = reply.headers.get("Content-Range", "").rpartition("/")[2]
        length = total if reply.status == 206 else reply.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise OSError("the server does not say how many bytes it has")
        return ObjectFacts(int(length), _version(reply))


def _version(reply: Any) -> str:
    return reply.headers.get("ETag") or reply.headers.get("Last-Modified") or ""


async def http_range(fs: Any, address: str, start: int, stop: int, facts: ObjectFacts) -> bytes:
    """The bytes of the version that ``facts`` describe, also of a server that knows no ranges."""
    session = await fs.set_session()
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    if facts.version.startswith('"'):  # a weak one (W/"...") never matches
        headers["If-Match"] = facts.version
    async with session.get(fs.encode_url(address), headers=headers) as reply:
        reply.raise_for_status()
        if _version(reply) != facts.version:
            raise ChangedError("it changed while it was read")
        if reply.status == 206:
            if not reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise ShortReplyError("the server sent another range than was asked for")
            return await reply.read()
        try:  # a server without ranges sends all of it
            await reply.content.readexactly(start)
            return await reply.content.readexactly(stop - start)
        except EOFError as error:
            raise ShortReplyError("the server sent less than there is") from error
