"""A video -> its health and its identity, found out in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass

from vidcls.errors import SourceError
from vidcls.types import VideoRecord
from vidcls.video.health import Health, examine
from vidcls.video.reader import Backend
from vidcls.video.source_identity import SourceIdentity


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about one file.

    Args:
        health: what is wrong with it, and what it is.
        source_digest: of its identity, by which stored flow knows it; empty where it cannot be read.
    """

    health: Health
    source_digest: str


def examined(record: VideoRecord, *, decoder: Backend | None, most_seconds: float) -> Examined:
    """Read the file of a record.

    Args:
        record: the video.
        decoder: the one to use; None tries them in turn.
        most_seconds: as for :func:`vidcls.video.health.examine`.
    """
    health = examine(record.source, decoder=decoder, most_seconds=most_seconds)
    try:
        return Examined(health, SourceIdentity.of(record.source).digest)
    except SourceError:
        return Examined(health, "")
