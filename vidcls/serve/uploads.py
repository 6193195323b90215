"""The body of a request -> a file, written while it comes in and never larger than the limit."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from vidcls.console import visible
from vidcls.errors import DecodeError
from vidcls.serve.limits import Limits
from vidcls.serve.refusal import Refusal
from vidcls.video.source import Stamp, file_stamp

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
MOST_PARTS = 16
OVERHEAD_BYTES = 64 * 1024  # of a body beside the file: boundaries, headers and small fields
MOST_NAME = 100
_SUFFIXES = re.compile(r"(\.[a-z0-9]{1,5}){1,2}$", re.IGNORECASE)
UPLOADED = "video"
"""What a file without a name is called."""


@dataclass(frozen=True, slots=True)
class UploadedVideo:
    """A file that a client sent, under the name that the client gave it; a :class:`vidcls.video.source.VideoSource`.

    Args:
        path: where it is kept.
        name: what messages call it.
    """

    path: Path
    name: str

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def is_lasting(self) -> bool:
        """It goes with its request."""
        return False

    def stamp(self) -> Stamp | None:
        """See `VideoSource.stamp`."""
        return file_stamp(self.path)

    def open(self) -> BinaryIO:
        """See `VideoSource.open`."""
        return self.path.open("rb")

    def local_file(self) -> AbstractContextManager[Path]:
        """See `VideoSource.local_file`."""
        return self._checked()

    @contextmanager
    def _checked(self) -> Iterator[Path]:
        stamp = self.stamp()
        if stamp is None or stamp[0] == 0:
            raise DecodeError(f"{self.name}: the file is empty; send the content of a video")
        yield self.path


def shown_name(given: str) -> str:
    r"""The name of a file as messages may have it: without folders, on one line, and not long.

    >>> shown_name("C:\\clips\\a\nb.mp4")
    'a\\nb.mp4'
    """
    name = visible(PurePosixPath(given.replace("\\", "/")).name) or UPLOADED
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME // 2]}…{name[-MOST_NAME // 2 :]}"


def safe_suffix(given: str) -> str:
    """The suffixes of a name that say what kind of video it is, such as ``.mp4`` or ``.jpeg.avi``; else nothing."""
    found = _SUFFIXES.search(given)
    return found.group().lower() if found else ""


def check_stated_length(length: str | None, limits: Limits) -> None:
    """Refuse a body that is too large by what its request says, before any of it is read.

    Raises:
        Refusal: it is too large, or the number is none.
    """
    if length is None:
        return
    if not length.isdecimal():
        raise Refusal(400, "bad_request", "the header Content-Length is not a number")
    if int(length) > limits.max_bytes + OVERHEAD_BYTES:
        raise too_large(limits)


def too_large(limits: Limits) -> Refusal:
    """That a file is beyond the limit."""
    return Refusal(413, "too_large", f"the file is larger than {limits.max_bytes:,} bytes, which this server takes")


async def small_body(chunks: AsyncIterator[bytes], most_bytes: int = OVERHEAD_BYTES) -> bytes:
    """A body that is held in memory.

    Raises:
        Refusal: it is larger than ``most_bytes``.
    """
    found = bytearray()
    async for chunk in chunks:
        found += chunk
        if len(found) > most_bytes:
            raise Refusal(
                413, "too_large", f"the body is larger than {most_bytes:,} bytes; expected a short JSON object"
            )
    return bytes(found)


async def receive_file(chunks: AsyncIterator[bytes], content_type: str, target: Path, limits: Limits) -> UploadedVideo:
    """The file of the field ``file`` of a multipart body, written to ``target`` and its suffix.

    Args:
        chunks: the body as it comes.
        content_type: its header.
        target: a path without a suffix.
        limits: what is accepted.

    Raises:
        Refusal: the body is no multipart form, has no such file or several, or is too large.
        OSError: the disk is full.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    _, options = parse_options_header(content_type)
    if not (boundary := options.get(b"boundary")):
        raise Refusal(400, "bad_request", "the header Content-Type names no boundary of the multipart form")
    form = _Form(target, limits)
    num_bytes = 0
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in chunks:
            num_bytes += len(chunk)
            if num_bytes > limits.max_bytes + OVERHEAD_BYTES:
                raise too_large(limits)
            parser.write(chunk)
    except FormParserError as error:
        raise Refusal(
            400, "bad_request", f"the body is not a multipart form: {' '.join(str(error).split())}"
        ) from error
    finally:
        form.close()
    if not form.has_ended:
        raise Refusal(400, "bad_request", "the multipart form ends in the middle; send it again as a whole")
    if form.name is None:
        raise Refusal(400, "bad_request", f"the form has no file in a field called {FIELD}: curl -F {FIELD}=@clip.mp4")
    return UploadedVideo(form.path, form.name)


class _Form:
    """Takes what the parser finds, and writes the one file."""

    def __init__(self, target: Path, limits: Limits) -> None:
        self.path, self.limits = target, limits
        self.name: str | None = None
        self.has_ended = False
        self._num_parts = self._num_bytes = 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._file: BinaryIO | None = None

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self.close,
            "on_end": self._end,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _begin(self) -> None:
        self._num_parts += 1
        self._disposition = b""
        if self._num_parts > MOST_PARTS:
            raise Refusal(400, "bad_request", f"the form has more than {MOST_PARTS} parts; expected one file")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            return
        if self.name is not None:
            raise Refusal(400, "bad_request", f"the form has more than one file in {FIELD}; send them one at a time")
        given = options[b"filename"].decode("utf-8", errors="replace")
        self.name = shown_name(given)
        self.path = self.path.with_name(self.path.name + safe_suffix(given))
        self._file = self.path.open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        self._num_bytes += end - start
        if self._num_bytes > self.limits.max_bytes:
            raise too_large(self.limits)
        self._file.write(data[start:end])

    def _end(self) -> None:
        self.has_ended = True
