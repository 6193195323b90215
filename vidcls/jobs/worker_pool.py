"""One job per video over several processes, of which any may die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

import torch
from pebble import ProcessExpired, ProcessPool

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


def each_video(
    job: Callable[[VideoRecord], Result],
    records: Iterable[VideoRecord],
    *,
    num_workers: int,
    seconds_each: Callable[[VideoRecord], float] | float | None = None,
) -> Iterator[Outcome[Result]]:
    """The outcome of ``job(record)`` for every record, as they come.

    Processes start without this one's threads and memory, work on one thread each, and end with this one, however it
    ends. One that dies, or is killed since its video took too long, is replaced, and its video alone has failed.

    Args:
        job: what to do with a video; it can be pickled.
        records: the videos.
        num_workers: number of processes; 0 works in this one, which then dies with a decoder that does.
        seconds_each: the most that a video may take in a process, or what says so of each; None for no limit.
    """
    if num_workers == 0:
        yield from (_done_here(job, record) for record in records)
        return
    waiting = iter(records)
    with _pool(num_workers, _module_of(job)) as pool:
        running: dict[Future[Result], VideoRecord] = {}
        while True:
            for record in islice(waiting, num_workers + 1 - len(running)):  # one more, so that none waits for us
                seconds = seconds_each(record) if callable(seconds_each) else seconds_each
                running[_scheduled(pool, job, record, seconds)] = record
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield _outcome(running.pop(future), future)


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
        return f"{outcome.record.path}: its worker process died (a crash of the decoder, or too little memory)"
    if isinstance(error, TimeoutError):
        return f"{outcome.record.path}: its worker process did not finish in time and was ended"
    if isinstance(error, OSError | ValueError):
        return f"{outcome.record.path}: {error}"
    return f"{outcome.record.path}: {type(error).__name__}: {error}"


def _done_here(job: Callable[[VideoRecord], Result], record: VideoRecord) -> Outcome[Result]:
    try:
        return Outcome(record, job(record), None)
    except Exception as error:  # noqa: BLE001 - the outcome of this video, as from a process
        return Outcome(record, None, error)


def _outcome(record: VideoRecord, future: Future[Result]) -> Outcome[Result]:
    error = future.exception()
    return Outcome(record, None if error else future.result(), error)


@contextmanager
def _pool(num_workers: int, imported: str) -> Iterator[ProcessPool]:
    """Processes that are ended at once when the block is left, in whatever way; ``imported`` is a module they need."""
    has_forkserver = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if has_forkserver else "spawn")
    if has_forkserver:
        context.set_forkserver_preload(["__main__", imported])  # once for all workers, torch with it
    pool = ProcessPool(num_workers, initializer=_start_worker, context=context)
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def _module_of(job: Callable[..., object]) -> str:
    """Where the function is defined that a job calls in the end."""
    while isinstance(job, partial):
        job = job.func
    return getattr(job, "__module__", None) or type(job).__module__


def _scheduled(
    pool: ProcessPool, job: Callable[[VideoRecord], Result], record: VideoRecord, seconds_each: float | None
) -> Future[Result]:
    try:
        return pool.schedule(job, (record,), timeout=seconds_each)
    except RuntimeError as error:
        raise DatasetError(
            "the worker processes cannot be started, or were killed while they waited, as where memory is short: run "
            "the same command again, with fewer of them"
        ) from error


def _start_worker() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # they would tear the progress bar; the job reports what matters
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # end at once, in the middle of a decoder too
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this a worker whose parent was killed would wait for its next job forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
