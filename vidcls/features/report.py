"""What became of the videos whose features were computed or verified."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all videos.

    Args:
        num_done: videos computed, or verified and found right.
        num_kept: videos that were there already.
        num_bytes: bytes written.
        failures: name of a video and why it failed, in order of name.
    """

    num_done: int = 0
    num_kept: int = 0
    num_bytes: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
