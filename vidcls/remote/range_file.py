"""An object -> an open file that fetches the ranges that are read, all of one version of it.

Where the server does not see to that with each range, the version is compared once more when the file is closed.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from vidcls.remote.faults import ChangedError
from vidcls.remote.requests import ObjectFacts, changed_error, checks_version, facts_of, read_range, unchanged

BUFFER_BYTES = 256 * 1024


def open_ranges(address: str, facts: ObjectFacts | None = None) -> BinaryIO:
    """The bytes of an object, to be read from any place on, in a ``with`` block.

    Args:
        address: of the object.
        facts: which version of it; None for the one that is there now.

    Raises:
        RemoteError: it is not there, or cannot be reached; also by reading, and at the end of the block where it has
            changed in between.
    """
    raw = _RangeFile(address, facts_of(address) if facts is None else facts)
    return io.BufferedReader(raw, BUFFER_BYTES)


class _RangeFile(io.RawIOBase):
    """See :func:`open_ranges`."""

    def __init__(self, address: str, facts: ObjectFacts) -> None:
        self._address, self._facts, self._position = address, facts, 0
        self._is_unsure = False  # whether what was read may be of several versions

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._facts.num_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            content = read_range(self._address, self._position, self._position + len(buffer), self._facts)
        except ChangedError as error:
            raise changed_error(self._address) from error
        self._is_unsure = self._is_unsure or not checks_version(self._address, self._facts)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        is_unsure, self._is_unsure = self._is_unsure, False
        super().close()
        if is_unsure:
            try:
                unchanged(self._address, self._facts)
            except ChangedError as error:
                raise changed_error(self._address) from error


RangeFile = _RangeFile  # the methods are those of `io.RawIOBase`
