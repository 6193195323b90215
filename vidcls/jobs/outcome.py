"""What became of the job for one video: a result, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from pebble import ProcessExpired

from vidcls.errors import DatasetError, VidclsError
from vidcls.files import FULL_DISK
from vidcls.types import VideoRecord

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """What became of one video: a result, or the error that its job ended with.

    Args:
        record: the video.
        result: what the job returned; None where it failed.
        error: what it raised; ProcessExpired, with its ``exitcode``, where its process died; TimeoutError where that
            was ended for taking too long.
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
    if isinstance(error, ProcessExpired):
        return f"{outcome.record.source}: its worker process died (a crash of the decoder, or too little memory)"
    if isinstance(error, TimeoutError):
        return f"{outcome.record.source}: its worker process did not finish in time and was ended"
    if isinstance(error, OSError | ValueError):
        return f"{outcome.record.source}: {error}"
    return f"{outcome.record.source}: {type(error).__name__}: {error}"
