"""An address of a client -> the video there: no larger than the limit, and of no private network unless allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vidcls.errors import DecodeError, RemoteError, UnreachableError
from vidcls.remote.object_cache import ObjectCache
from vidcls.remote.object_facts import ObjectFacts
from vidcls.remote.public_hosts import connecting_only
from vidcls.remote.requests import recent_facts
from vidcls.serve.refusal import Refusal
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import Stamp


@dataclass(frozen=True, slots=True)
class AddressedVideo:
    """A video at an address that a client names; a :class:`vidcls.video.source.VideoSource`.

    A server in a company's or a cloud's network reaches what its clients do not, such as the cloud's service for
    credentials at 169.254.169.254.

    Args:
        file: made by :func:`vidcls.video.source.source_at`, which asks for permission.
        max_bytes: of the object; what its server says after that it is held to.
        reads_private: also from servers in private networks.
    """

    file: RemoteFile
    max_bytes: int
    reads_private: bool = False

    @property
    def name(self) -> str:
        """The address, without what is secret in it."""
        return self.file.name

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def is_lasting(self) -> bool:
        """It stays at its address."""
        return True

    def stamp(self) -> Stamp | None:
        """See `VideoSource.stamp`.

        Raises:
            Refusal: the address may not be read, or the object is too large.
        """
        with self._connecting():
            self._facts()
            return self.file.stamp()

    def open(self) -> BinaryIO:
        """See `VideoSource.open`; it is fetched as a whole."""
        with self.local_file() as path:
            return path.open("rb")

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """See `VideoSource.local_file`.

        Raises:
            Refusal: as of `stamp`.
        """
        with self._connecting():
            try:
                with ObjectCache().copy_of(self.file.address, self._facts()) as path:
                    yield path
            except RemoteError as error:
                raise _said(error) from error

    def _connecting(self) -> AbstractContextManager[None]:
        return nullcontext() if self.reads_private else connecting_only()

    def _facts(self) -> ObjectFacts:
        try:
            facts = recent_facts(self.file.address)
        except RemoteError as error:
            raise _said(error) from error
        if facts.num_bytes > self.max_bytes:
            words = f"has {facts.num_bytes:,} bytes; this server takes {self.max_bytes:,}"
            raise Refusal(413, "too_large", f"{self.name}: {words}")
        return facts


def _said(error: RemoteError) -> Exception:
    if error.is_denied:
        return Refusal(403, "address", str(error))
    return (DecodeError if error.is_missing else UnreachableError)(str(error))
