"""An address -> a video source: whole through the cache for a decoder, by ranges where a part will do."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from vidcls.errors import DecodeError, RemoteError, UnreachableError
from vidcls.remote.addresses import shown
from vidcls.remote.object_cache import ObjectCache
from vidcls.remote.range_file import RangeFile
from vidcls.remote.requests import recent_facts

if TYPE_CHECKING:
    from vidcls.video.source import Stamp

BUFFER_BYTES = 64 * 1024  # asked for at once, where less is read


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A video of an object store or a web server; made by :func:`vidcls.video.source_at`, which asks for permission.

    It holds its address alone, so that it may be sent to other processes, which make connections of their own.

    Args:
        address: such as ``s3://bucket/clips/a.mp4``.
    """

    address: str

    @property
    def name(self) -> str:
        """The address, without what is secret in it."""
        return shown(self.address)

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def is_lasting(self) -> bool:
        """It stays at its address."""
        return True

    def stamp(self) -> Stamp | None:
        """Its size, and a number made of its ETag (see :meth:`VideoSource.stamp`), as they were some seconds ago.

        Raises:
            UnreachableError: the server cannot be asked.
        """
        try:
            facts = recent_facts(self.address)
        except RemoteError as error:
            if error.is_missing:
                return None
            raise UnreachableError(str(error)) from error
        digest = hashlib.blake2b(facts.version.encode(), digest_size=8).digest()
        return facts.num_bytes, int.from_bytes(digest, "big") >> 1  # which a signed integer of 64 bits holds

    def open(self) -> BinaryIO:
        """See :meth:`VideoSource.open`; of one version, and from the cache where it is there."""
        try:
            facts = recent_facts(self.address)
        except RemoteError as error:
            raise OSError(errno.ENOENT if error.is_missing else errno.EIO, str(error)) from error
        kept = ObjectCache().found(self.address, facts)
        if kept is not None:
            return cast(BinaryIO, kept)
        return cast(BinaryIO, io.BufferedReader(_Ranges(self.address, facts), BUFFER_BYTES))

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """See :meth:`VideoSource.local_file`; a whole file of the cache, which stays there."""
        with ExitStack() as stack:
            try:
                path = stack.enter_context(ObjectCache().copy_of(self.address))
            except RemoteError as error:
                raise (DecodeError if error.is_missing else UnreachableError)(str(error)) from error
            if path.stat().st_size == 0:
                raise DecodeError(f"{self.name}: the object is empty; upload it again")
            yield path


class _Ranges(RangeFile):
    """Of a video: what fails is an `OSError`, as of a file."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            return super().readinto(buffer)
        except RemoteError as error:
            raise OSError(errno.EIO, str(error)) from error

    def close(self) -> None:
        try:
            super().close()
        except RemoteError as error:
            raise OSError(errno.EIO, str(error)) from error
