"""Rows that come one after the other -> parts of a table beside each other, since nothing is added to an object.

::

    s3://bucket/small/.prepared/1764437100123456789-5b0c....csv     what came in the first seconds
    s3://bucket/small/.prepared/1764437105234567890-91aa....csv     in the next ones

What a kill keeps from being sent is at most what came since the last part.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from uuid import uuid4

from vidcls.remote.places import Place
from vidcls.remote.whole_files import files_below, write_csv

SECONDS_BETWEEN_PARTS = 5.0
_SUFFIX = ".csv"


class RowParts:
    """Sends rows every few seconds, and the rest at the end of the block.

    Args:
        folder: where the parts lie.
        header: of each.
    """

    def __init__(self, folder: Place, header: Sequence[object]) -> None:
        self._folder, self._header = folder, header
        self._waiting: list[Sequence[object]] = []
        self._sent_at = time.monotonic()

    def add(self, row: Sequence[object]) -> None:
        """One more.

        Raises:
            RemoteError: a part cannot be sent.
        """
        self._waiting.append(row)
        if time.monotonic() - self._sent_at > SECONDS_BETWEEN_PARTS:
            self._send()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send()

    def _send(self) -> None:
        if self._waiting:
            name = f"{time.time_ns():020d}-{uuid4().hex}{_SUFFIX}"
            write_csv(self._folder / name, [self._header, *self._waiting])
            self._waiting = []
        self._sent_at = time.monotonic()


def parts_in(folder: Place) -> list[Place]:
    """All parts, in the order in which they were sent.

    Raises:
        RemoteError: they cannot be listed.
    """
    return [folder / name for name in sorted(files_below(folder, _SUFFIX))]
