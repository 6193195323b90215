"""Records -> what is known of each file: from the cache, or by reading it in processes that may crash or hang."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pebble import ProcessExpired

from vidcls.checks.cache import CheckCache, CheckedVideo
from vidcls.checks.examined import Examined, examined
from vidcls.errors import MissingExtraError, UnreachableError
from vidcls.jobs import LostWorkerError, Outcome, Pool, fault_of, reason_of
from vidcls.remote.limits import limits
from vidcls.types import VideoRecord
from vidcls.video.health import Health, missing
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import Stamp, VideoSource

SAVED_EVERY_SECONDS = 30.0
SHARE_FOR_READING = 0.5  # of the time allowed: then a long video is not taken for one that hangs
SLOW_DISK_BYTES = 20e6  # a second: all bytes of a file are read several times, whatever its frames take


@dataclass(frozen=True)
class CheckedFiles:
    """All files of a data set.

    Args:
        by_source: what is known of each.
        num_opened: files that were opened for it; the others are as they were at an earlier check.
    """

    by_source: dict[VideoSource, CheckedVideo]
    num_opened: int


def check_files(
    records: Sequence[VideoRecord],
    cache: CheckCache,
    *,
    pool: Pool,
    most_seconds: float,
    progress: Callable[[int], object] = int,
    recheck: bool = False,
    job: Callable[[VideoRecord], Examined] | None = None,
) -> CheckedFiles:
    """What is known of every file. What was found is kept in the cache also where the work is interrupted.

    Args:
        records: the videos; a file that several of them name is read once.
        cache: what is known already; takes what is new.
        pool: where they are read.
        most_seconds: that a file may take, besides the time in which a slow disk gives its bytes.
        progress: is told of each number of files that are done.
        recheck: read all files, whatever is known.
        job: what reads a file; None for :func:`vidcls.checks.examined.examined`.

    Raises:
        MissingExtraError: the decoder that the cache is for is not installed.
        DatasetError: the disk is full.
    """
    distinct = {record.source: record for record in records}
    found: dict[VideoSource, CheckedVideo] = {}
    waiting: dict[VideoSource, Stamp] = {}  # size and date before it is read
    for source in distinct:
        known = None if recheck else _known(cache, source, most_seconds)
        if known is not None:
            found[source] = known
        else:
            stamp, health = _stamp(source)
            if stamp is not None:
                waiting[source] = stamp
            else:
                found[source] = CheckedVideo(0, 0, health)
    progress(len(found))
    job = job or partial(examined, decoder=cache.decoder, most_seconds=SHARE_FOR_READING * most_seconds)
    save_at = time.monotonic() + SAVED_EVERY_SECONDS
    todo = [distinct[source] for source in waiting]
    try:
        for outcome in pool.each(
            job, todo, seconds_each=lambda record: _allowed(record.source, most_seconds, waiting[record.source][0])
        ):
            source = outcome.record.source
            health, digest = _result(outcome)
            found[source] = CheckedVideo(*waiting[source], health, digest, most_seconds)
            if not _was_killed(outcome) and health.fault != "unreachable":  # which the next check may find otherwise
                cache.add(source, found[source])
            progress(1)
            if time.monotonic() > save_at:
                started = time.monotonic()
                cache.save()
                save_at = time.monotonic() + max(SAVED_EVERY_SECONDS, 20 * (time.monotonic() - started))
    finally:
        cache.save()
    return CheckedFiles(found, len(waiting))


def allowed_seconds(most_seconds: float, num_bytes: int) -> float:
    """The time after which a process that reads a file is taken to hang: a large one takes long on a slow disk."""
    return most_seconds + num_bytes / SLOW_DISK_BYTES


def _allowed(source: VideoSource, most_seconds: float, num_bytes: int) -> float:
    """The same, with the time in which a server may be asked again."""
    asking_seconds = (
        limits().total_seconds + limits().most_seconds(num_bytes) if isinstance(source, RemoteFile) else 0.0
    )
    return allowed_seconds(most_seconds, num_bytes) + asking_seconds


def _stamp(source: VideoSource) -> tuple[Stamp | None, Health]:
    """Size and date of a video; without them, what is said of it."""
    try:
        stamp = source.stamp()
    except UnreachableError as error:
        return None, Health("unreachable", str(error).removeprefix(f"{source.name}: "))
    return stamp, missing(source) if stamp is None else Health()


def _known(cache: CheckCache, source: VideoSource, most_seconds: float) -> CheckedVideo | None:
    try:
        return cache.find(source, most_seconds=most_seconds)
    except UnreachableError:
        return None


def _result(outcome: Outcome[Examined]) -> tuple[Health, str]:
    if outcome.result is not None:
        return outcome.result.health, outcome.result.source_digest
    if isinstance(outcome.error, MissingExtraError):
        raise outcome.error  # the decoder that was asked for is not there: no fault of the file
    if isinstance(outcome.error, OSError) and not isinstance(outcome.error, TimeoutError):
        reason = reason_of(outcome)  # raises where the disk is full
        if isinstance(outcome.record.source, RemoteFile):  # the disk that was to keep the object, not the video
            return Health("unreachable", reason.removeprefix(f"{outcome.record.source}: ")), ""
    fault = fault_of(outcome)
    return Health(fault.kind, fault.reason), ""


def _was_killed(outcome: Outcome[Examined]) -> bool:
    """Whether something else than its file may have ended the process, such as a lack of memory."""
    is_killed = isinstance(outcome.error, ProcessExpired) and outcome.error.exitcode == -signal.SIGKILL
    return is_killed or isinstance(outcome.error, LostWorkerError)
