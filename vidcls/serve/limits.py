"""What a server accepts: sizes, times, and how much at the same time."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond these is refused with a status and one line that names the limit.

    Args:
        max_bytes: of an uploaded file, or of an object at an address (413).
        max_duration_seconds: of a video (422).
        max_pixels: of a frame, width x height (422).
        max_memory_bytes: that the process which reads a video may take for it, on Linux (422).
        decode_seconds: in which a video must be read, after which its process is ended (422).
        timeout_seconds: from the beginning of a request to its answer: of an upload that comes too slowly (408), and
            for the work that waits before it (503).
        max_queue: requests that are worked on or wait, uploads that are coming in included (503).
    """

    max_bytes: int = 256 * MEBIBYTE
    max_duration_seconds: float = 600.0
    max_pixels: int = 4096 * 2304
    max_memory_bytes: int = 4096 * MEBIBYTE
    decode_seconds: float = 20.0
    timeout_seconds: float = 60.0
    max_queue: int = 64

    def to_dict(self) -> dict[str, float]:
        """By name, as ``/info`` has them."""
        return asdict(self)
