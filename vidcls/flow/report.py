"""What became of the videos whose flow was computed or verified."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidcls.flow.saturation import TOLD_SHARE, Saturation, percent

NUM_SATURATED_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all videos.

    Args:
        num_done: videos computed, or verified and found right.
        num_kept: videos that were there already.
        num_fields: fields computed or verified.
        num_bytes: bytes written.
        num_fallbacks: videos that the first decoder could not read and another could.
        failures: name of a video and why it failed, in order of name.
        saturation: how many of the flow values of all these videos, kept ones too, the bound cuts; None where there
            are none, or nothing is known, as of files of version 0.1 that were kept.
        saturated: the videos of which it cuts more than 0.1 %, most first.
    """

    num_done: int = 0
    num_kept: int = 0
    num_fields: int = 0
    num_bytes: int = 0
    num_fallbacks: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    saturation: Saturation | None = None
    saturated: list[tuple[str, Saturation]] = field(default_factory=list)

    def saturation_lines(self, bound_px: float) -> list[str]:
        """What the bound cuts, in one line; and where that is much, the videos of which it cuts most."""
        if self.saturation is None:
            return []
        lines = [self.saturation.describe(bound_px)]
        if self.saturated:
            shares = [f"{name} {percent(found.share)}" for name, found in self.saturated[:NUM_SATURATED_SHOWN]]
            num, least = len(self.saturated), percent(TOLD_SHARE)
            lines.append(f"videos of which it cuts more than {least}: {num}, most in {', '.join(shares)}")
        return lines


@dataclass(frozen=True, slots=True)
class VideoResult:
    """What became of one video; the same fields as in :class:`Report`."""

    num_fields: int = 0
    num_bytes: int = 0
    kept: bool = False
    fell_back: bool = False
    saturation: Saturation | None = None
