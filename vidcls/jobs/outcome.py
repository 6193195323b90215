"""What became of the job for one video: a result, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pebble import ProcessExpired

from vidcls.errors import DatasetError, UnreachableError, VidclsError
from vidcls.files import FULL_DISK
from vidcls.types import VideoRecord
from vidcls.video.fault import VideoFault, crash_of, hang_of

Result = TypeVar("Result")


class LostWorkerError(Exception):
    """The workers that did a job were lost, each time that it was tried; the message says in which way at last.

    Args:
        how: what became of the last one, as in "its node was lost".
        tries: how many were lost.
    """

    def __init__(self, how: str, tries: int) -> None:
        super().__init__(how, tries)
        self.how = how
        self.tries = tries


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """What became of one video: a result, or the error that its job ended with.

    Args:
        record: the video.
        result: what the job returned; None where it failed.
        error: what it raised; ProcessExpired, with its ``exitcode``, where its process died; LostWorkerError where
            workers of a cluster were lost with it; TimeoutError where that was ended for taking too long.
    """

    record: VideoRecord
    result: Result | None
    error: BaseException | None


def reason_of(outcome: Outcome[Result]) -> str:
    """Why a video failed, in one line.

    Raises:
        DatasetError: the disk is full, which ends the run, since no other video would fare better.
    """
    error = outcome.error
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        where = f"{error.filename}: " if error.filename else ""
        raise DatasetError(
            f"{where}the disk is full: what is finished is kept; make room and run the same command again"
        ) from error
    if isinstance(error, VidclsError):
        return str(error)
    return f"{outcome.record.source}: {fault_of(outcome).reason}"


def fault_of(outcome: Outcome[Result]) -> VideoFault:
    """Why a video failed, as checks say it: the death of its process, a lack of time, or what its job raised."""
    error = outcome.error
    if isinstance(error, ProcessExpired):
        return crash_of(error.exitcode)
    if isinstance(error, LostWorkerError):
        return VideoFault("crash", f"each of the {error.tries} workers that tried it was lost; of the last {error.how}")
    if isinstance(error, TimeoutError):
        seconds = next((part for part in error.args if isinstance(part, int | float)), None)
        return hang_of(seconds)
    if isinstance(error, UnreachableError):
        return VideoFault("unreachable", str(error).removeprefix(f"{outcome.record.source}: "))
    if isinstance(error, VidclsError | OSError | ValueError):
        return VideoFault("undecodable", str(error).removeprefix(f"{outcome.record.source}: "))
    return VideoFault("undecodable", f"{type(error).__name__}: {error}")
