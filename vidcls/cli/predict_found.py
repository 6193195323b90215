"""What the predictions of ``vidcls predict`` leave to be said when they are done, and the exit status."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.console import say

if TYPE_CHECKING:
    from vidcls.predict.scoring import VideoScorer

PARTLY_FAILED, BAD_INPUT = 1, 2
MOST_NAMED = 3  # videos without sound
LEAST_OVERLAP_SECONDS = 0.005


@dataclass(frozen=True)
class PredictedFile:
    """One video: where it lies, and where its labelled copy and its segments go, if anywhere."""

    video: Path | str
    overlay: Path | None
    segments: Path | None = None


@dataclass
class Found:
    """What is to be said in the end."""

    fallbacks: dict[str, None] = field(default_factory=dict)  # each once, in order
    failures: list[tuple[str, str]] = field(default_factory=list)
    soundless: list[str] = field(default_factory=list)  # of a model that hears


def told(found: Found, num_videos: int) -> int:
    """Say what another decoder read, what had no sound and what failed; returns the exit status."""
    for line in found.fallbacks:
        say(f"vidcls: warning: {line}", file=sys.stderr)
    if found.soundless:
        names = ", ".join(found.soundless[:MOST_NAMED]) + (", ..." if len(found.soundless) > MOST_NAMED else "")
        count = f"{len(found.soundless)} of {num_videos} videos without sound"
        say(f"{count} ({names}): answered by the other streams alone", file=sys.stderr)
    if found.failures:
        say(f"vidcls: {len(found.failures)} of {num_videos} videos failed:", file=sys.stderr)
        for _, reason in found.failures:
            say(f"  {reason}", file=sys.stderr)
    if len(found.failures) == num_videos:
        return BAD_INPUT
    return PARTLY_FAILED if found.failures else 0


def earlier_windows(options: Namespace, num_rows: int) -> str:
    """That the windows before the damage of a video are kept, if there are any."""
    is_cut = options.window_seconds is not None and num_rows
    return f" (after {num_rows} windows, which are kept)" if is_cut else ""


def say_overlap(video: str, seconds: float) -> None:
    """That the last window was moved back, if it was."""
    if seconds > LEAST_OVERLAP_SECONDS:
        say(f"{video}: the last window begins {seconds:.2f} s before the end of the one before it", file=sys.stderr)


def is_soundless(predictor: VideoScorer, job: PredictedFile) -> bool:
    """Whether a model that hears was given a video without a sound track."""
    from vidcls.types import sees

    if not sees(predictor.input_settings.streams, "audio"):
        return False
    from vidcls.video.sound import has_sound
    from vidcls.video.source import source_of

    return not has_sound(source_of(job.video))
