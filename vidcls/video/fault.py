"""Why a video cannot be read: the one set of kinds that checks, jobs and loaders speak of, each with a reason."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["missing", "empty", "no video", "undecodable", "damaged", "crash", "hang", "unreachable"]
Fault = Literal["", "missing", "empty", "no video", "undecodable", "damaged", "crash", "hang", "unreachable"]


@dataclass(frozen=True, slots=True)
class VideoFault:
    """What is wrong with one video.

    Args:
        kind: which kind of fault.
        reason: in one line, without the name of the video.
    """

    kind: FaultKind
    reason: str


def crash_of(exit_status: int | None) -> VideoFault:
    """That the process which read it died.

    Args:
        exit_status: of the process, negative for a signal; None where it is not known.
    """
    try:
        how = f"signal {signal.Signals(-(exit_status or 0)).name}"
    except ValueError:
        how = f"exit status {exit_status}"
    return VideoFault("crash", f"the process that read it ended by {how}")


def hang_of(seconds: float | None) -> VideoFault:
    """That it was not read in time, so that its process was ended.

    Args:
        seconds: that it was allowed; None where they are not known.
    """
    allowed = "in the time allowed" if seconds is None else f"within {seconds:.3g} seconds"
    return VideoFault("hang", f"it was not read {allowed}, and its process was ended")
