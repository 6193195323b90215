"""One job per video over several processes, of which any may die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

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
        error: what it raised; BrokenProcessPool where its process died.
    """

    record: VideoRecord
    result: Result | None
    error: BaseException | None


def each_video(
    job: Callable[[VideoRecord], Result], records: Sequence[VideoRecord], *, num_workers: int
) -> Iterator[Outcome[Result]]:
    """The outcome of ``job(record)`` for every record, as they come.

    Processes start without this one's threads and memory, work on one thread each, and end with this one, however it
    ends. Only as many videos are handed out as there are processes: where one dies, those in its hands are done again
    one by one, each alone in a process, and the one that kills it once more is the one that failed.

    Args:
        job: what to do with a video; it can be pickled.
        records: the videos.
        num_workers: number of processes; 0 works in this one, which then dies with a decoder that does.
    """
    if num_workers == 0:
        yield from (_done_here(job, record) for record in records)
        return
    waiting = list(reversed(records))
    while waiting:
        suspects: list[VideoRecord] = []
        with _executor(num_workers) as executor, _ended_when_stopped():
            running: dict[Future[Result], VideoRecord] = {}
            while running or (waiting and not suspects):
                while waiting and not suspects and len(running) < num_workers:
                    record = waiting.pop()
                    try:
                        running[executor.submit(job, record)] = record
                    except BrokenProcessPool:
                        suspects.append(record)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    record = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        suspects.append(record)
                    else:
                        yield _outcome(record, future)
        for record in suspects:
            with _executor(1) as executor, _ended_when_stopped():
                alone = executor.submit(job, record)
                wait([alone])
            yield _outcome(record, alone)


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
    if isinstance(error, OSError | ValueError):
        return f"{outcome.record.path}: {error}"
    if isinstance(error, BrokenProcessPool):
        return f"{outcome.record.path}: its worker process died (a crash of the decoder, or too little memory)"
    return f"{outcome.record.path}: {type(error).__name__}: {error}"


@contextmanager
def _ended_when_stopped() -> Iterator[None]:
    """Where the user or the caller stops, the workers end at once in place of finishing their videos."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise


def _done_here(job: Callable[[VideoRecord], Result], record: VideoRecord) -> Outcome[Result]:
    try:
        return Outcome(record, job(record), None)
    except Exception as error:  # noqa: BLE001 - the outcome of this video, as from a process
        return Outcome(record, None, error)


def _outcome(record: VideoRecord, future: Future[Result]) -> Outcome[Result]:
    error = future.exception()
    return Outcome(record, None if error else future.result(), error)


def _executor(num_workers: int) -> ProcessPoolExecutor:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"), _start_worker)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "vidcls.flow.precompute"])  # torch is imported once for all workers
    return ProcessPoolExecutor(num_workers, context, _start_worker)


def _start_worker() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # they would tear the progress bar; the job reports what matters
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this a worker whose parent was killed would wait for its next job forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
