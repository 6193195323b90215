"""A request with a video -> its source, kept for as long as the request is worked on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from vidcls.errors import ConfigurationError
from vidcls.remote.addresses import is_address
from vidcls.serve.addresses import AddressedVideo
from vidcls.serve.limits import Limits
from vidcls.serve.refusal import Refusal, refusal_of
from vidcls.serve.temporary import UploadFolder
from vidcls.serve.uploads import check_stated_length, receive_file, small_body
from vidcls.settings_file import parse_json
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import VideoSource, source_at

if TYPE_CHECKING:
    from starlette.requests import Request

Result = TypeVar("Result")
DRAINED_SECONDS = 1.0
DRAINED_BYTES = 8 * 2**20


@asynccontextmanager
async def video_of(
    request: Request, folder: UploadFolder, limits: Limits, deadline: float, *, reads_private: bool = False
) -> AsyncIterator[VideoSource]:
    """The video of a multipart field ``file``, or of the address in ``{"url": ...}``; a file goes with the block.

    Raises:
        Refusal: the body is of another kind, too large, too slow, or names an address that may not be read.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    with folder.file() as target:
        if kind == "multipart/form-data":
            check_stated_length(request.headers.get("content-length"), limits)
            yield await _in_time(_file(request, content_type, target, limits), deadline, limits)
        elif kind == "application/json":
            body = await _in_time(small_body(request.stream()), deadline, limits)
            yield _addressed(body, limits, reads_private=reads_private)
        else:
            raise Refusal(
                415,
                "bad_request",
                "send a video as multipart/form-data in the field file (curl -F file=@clip.mp4 URL), or its address as "
                'application/json, {"url": "https://..."}',
            )


async def drain(request: Request) -> None:
    """Take what a refused client still sends, for a moment, so that it comes to read the answer."""
    from starlette.requests import ClientDisconnect

    num_bytes = 0
    try:
        async with asyncio.timeout(DRAINED_SECONDS):
            async for chunk in request.stream():
                num_bytes += len(chunk)
                if num_bytes > DRAINED_BYTES:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it was read to its end before
        return


async def _file(request, content_type, target, limits):  # type: ignore[no-untyped-def]
    try:
        return await receive_file(request.stream(), content_type, target, limits)
    except OSError as error:
        raise refusal_of(error, "the upload", str(target)) from error


async def _in_time(work: Awaitable[Result], deadline: float, limits: Limits) -> Result:
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return await work
    except TimeoutError as error:
        raise Refusal(
            408, "too_slow", f"the body did not come in within {limits.timeout_seconds:g} s; send a smaller file"
        ) from error


def _addressed(body: bytes, limits: Limits, *, reads_private: bool) -> VideoSource:
    try:
        found = parse_json(body)
    except ValueError as error:
        raise Refusal(
            400, "bad_request", 'the body is not JSON; expected an object as {"url": "https://..."}'
        ) from error
    url = found.get("url") if isinstance(found, dict) else None
    if not isinstance(url, str) or not is_address(url):
        raise Refusal(
            400, "bad_request", 'expected the address of a video, as {"url": "https://..."}; send files as a form'
        )
    try:
        source = source_at(url)
    except ConfigurationError as error:
        raise Refusal(403, "address", " ".join(str(error).partition(" (in Python")[0].split())) from error
    assert isinstance(source, RemoteFile)
    return AddressedVideo(source, limits.max_bytes, reads_private)
