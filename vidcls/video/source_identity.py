"""A video -> what tells it from another one, whatever its place, name and date."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from vidcls.errors import RemoteError, SourceError, UnreachableError
from vidcls.video.source import AnyVideo, LocalFile, source_of

_PART_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """The size of a video and a digest of its beginning, middle and end (of all of it up to 96 KiB).

    Args:
        num_bytes: its size.
        digest: blake2b of 16 bytes over the three parts, in hexadecimal.
    """

    num_bytes: int
    digest: str

    @classmethod
    def of(cls, video: AnyVideo) -> SourceIdentity:
        """The identity of a video, from 96 KiB of it at most.

        Raises:
            SourceError: the file cannot be read.
            UnreachableError: its server does not give it.
        """
        source, digest = source_of(video), hashlib.blake2b(digest_size=16)
        try:
            with source.open() as file:
                num_bytes = file.seek(0, os.SEEK_END)
                file.seek(0)
                if num_bytes <= 3 * _PART_BYTES:
                    digest.update(file.read())
                else:
                    for start in (0, (num_bytes - _PART_BYTES) // 2, num_bytes - _PART_BYTES):
                        file.seek(start)
                        digest.update(file.read(_PART_BYTES))
        except OSError as error:
            if isinstance(error.__cause__, RemoteError) and not error.__cause__.is_missing:
                raise UnreachableError(str(error.__cause__)) from error
            advice = ": put it back" if isinstance(source, LocalFile) else ""
            raise SourceError(f"the video {source.name} cannot be read ({error.strerror}){advice}") from error
        return cls(num_bytes, digest.hexdigest())
