"""A job and videos -> an outcome for each, whether in this process or in several, of which any may die.

A place to work is one class with :meth:`Pool.each`; another one, such as a cluster, is one more file here.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from multiprocessing.sharedctypes import Synchronized
from typing import Protocol

from pebble import ProcessPool

from vidcls.errors import DatasetError, UnreachableError
from vidcls.jobs.outcome import Outcome, Result
from vidcls.remote.places import Place
from vidcls.types import VideoRecord

Seconds = Callable[[VideoRecord], float] | float | None
_worker_number = 0


class Pool(Protocol):
    """A place where jobs over videos are done."""

    def each(
        self,
        job: Callable[[VideoRecord], Result],
        records: Iterable[VideoRecord],
        *,
        seconds_each: Seconds = None,
        output: Place | None = None,
    ) -> Iterator[Outcome[Result]]:
        """The outcome of ``job(record)`` for every record, as they come.

        Args:
            job: what to do with a video; it can be pickled.
            records: the videos.
            seconds_each: the most that a video may take, or what says so of each; None for no limit.
            output: the folder that the job writes to, if any: where the workers are on other machines, they must share
                it, and what each did is noted there.
        """


@dataclass(frozen=True, slots=True)
class InThisProcess:
    """One video after the other, with no limit of time; the process dies with a decoder that does."""

    def each(
        self,
        job: Callable[[VideoRecord], Result],
        records: Iterable[VideoRecord],
        *,
        seconds_each: Seconds = None,  # noqa: ARG002 - nothing here could end the job
        output: Place | None = None,  # noqa: ARG002
    ) -> Iterator[Outcome[Result]]:
        """See :meth:`Pool.each`."""
        for record in records:
            yield _done_here(job, record)


@dataclass(frozen=True, slots=True)
class LocalProcesses:
    """Processes of this machine, which start without this one's threads and memory and end with it, however it ends.

    Each works on one thread. One that dies, or is killed since its video took too long, is replaced, and its video
    alone has failed.

    Args:
        num_workers: most processes, at least 1; fewer where there are fewer videos.
    """

    num_workers: int

    def __post_init__(self) -> None:
        if self.num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {self.num_workers}")

    def each(
        self,
        job: Callable[[VideoRecord], Result],
        records: Iterable[VideoRecord],
        *,
        seconds_each: Seconds = None,
        output: Place | None = None,  # noqa: ARG002
    ) -> Iterator[Outcome[Result]]:
        """See :meth:`Pool.each`."""
        waiting = iter(records)
        first = [*islice(waiting, self.num_workers)]
        if not first:
            return
        num_workers, waiting = len(first), chain(first, waiting)
        with _processes(num_workers, _module_of(job)) as processes:
            running: dict[Future[Result], VideoRecord] = {}
            while True:  # one more video is handed out than is worked on, so that no process waits for us
                for record in islice(waiting, num_workers + 1 - len(running)):
                    seconds = seconds_each(record) if callable(seconds_each) else seconds_each
                    running[_scheduled(processes, job, record, seconds)] = record
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield _outcome(running.pop(future), future)


@dataclass(frozen=True, slots=True)
class AllReachable:
    """A pool for what a training needs: a video that a server does not give today is no bad one to be left out.

    Args:
        pool: does the work.
    """

    pool: Pool

    def each(
        self,
        job: Callable[[VideoRecord], Result],
        records: Iterable[VideoRecord],
        *,
        seconds_each: Seconds = None,
        output: Place | None = None,
    ) -> Iterator[Outcome[Result]]:
        """See :meth:`Pool.each`.

        Raises:
            UnreachableError: of the first video that ends with one.
        """
        for outcome in self.pool.each(job, records, seconds_each=seconds_each, output=output):
            if isinstance(outcome.error, UnreachableError):
                raise outcome.error
            yield outcome


def local_pool(num_workers: int) -> Pool:
    """So many processes of this machine; with 0 this one works itself."""
    return LocalProcesses(num_workers) if num_workers else InThisProcess()


def worker_number() -> int:
    """Which worker of its pool this process is, from 0, in the order in which they started; 0 outside of pools."""
    return _worker_number


def _done_here(job: Callable[[VideoRecord], Result], record: VideoRecord) -> Outcome[Result]:
    try:
        return Outcome(record, job(record), None)
    except Exception as error:  # noqa: BLE001 - the outcome of this video, as from a process
        return Outcome(record, None, error)


def _outcome(record: VideoRecord, future: Future[Result]) -> Outcome[Result]:
    error = future.exception()
    return Outcome(record, None if error else future.result(), error)


def process_pool(num_workers: int, imported: str, *, most_jobs: int = 0) -> ProcessPool:
    """Processes that start without this one's threads and memory, and end with it, however it ends.

    Args:
        num_workers: how many.
        imported: a module that they need, which is imported once for all of them.
        most_jobs: after which a process is replaced; 0 for any number.
    """
    has_forkserver = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if has_forkserver else "spawn")
    if has_forkserver:
        context.set_forkserver_preload(["__main__", imported])  # once for all workers, torch with it
    number = context.Value("i", 0)
    return ProcessPool(
        num_workers,
        most_jobs,
        initializer=_start_worker,
        initargs=(number, dict(os.environ), imported),
        context=context,
    )


@contextmanager
def _processes(num_workers: int, imported: str) -> Iterator[ProcessPool]:
    """Processes that are ended at once when the block is left, in whatever way; ``imported`` is a module they need."""
    pool = process_pool(num_workers, imported)
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


def be_worker(number: int) -> None:
    """Let this process be the worker of that number: on one thread, and without warnings."""
    global _worker_number
    _worker_number = number
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    else:  # read where it is imported later, if ever: reading videos for an exported model needs none
        os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")  # they would tear the progress bar; the job reports what matters


def is_here(pool: Pool) -> bool:
    """Whether a pool works on this machine, so that what is missing here is missing there."""
    return isinstance(pool.pool if isinstance(pool, AllReachable) else pool, InThisProcess | LocalProcesses)


def _start_worker(number: Synchronized[int], environment: Mapping[str, str], imported: str) -> None:
    os.environ.update(environment)  # the server that starts workers has that of its own start, without newer keys
    with suppress(ImportError):  # before the time of the first job begins; a module of tests has no name to import
        importlib.import_module(imported)
    with number.get_lock():
        be_worker(number.value)
        number.value += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # end at once, in the middle of a decoder too
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Without this a worker whose parent was killed would wait for its next job forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
