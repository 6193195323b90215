"""Jobs one at a time -> the future of each, in processes that stay and of which any may die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from vidcls.jobs.pools import process_pool

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

MOST_JOBS = 500  # of a process, before a new one takes its place: what decoders leak goes with it


class StandingProcesses:
    """Processes of this machine that wait for jobs, each on one thread.

    One that dies, or is ended since its job took too long, is replaced, and its job alone has failed: its future raises
    ``pebble.ProcessExpired`` or ``TimeoutError``. A job that waits can be cancelled, and so can one that runs.

    Args:
        num_workers: processes.
        imported: the module of the jobs, which is imported once for all processes.
    """

    def __init__(self, num_workers: int, imported: str) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {num_workers}")
        self._num_workers, self._imported = num_workers, imported
        self._lock = threading.Lock()
        self._is_closed = False
        self._pending: set[Future[Any]] = set()
        self._pool = process_pool(num_workers, imported, most_jobs=MOST_JOBS)

    def submit(
        self,
        job: Callable[Arguments, Result],
        seconds: float,
        /,
        *arguments: Arguments.args,
        **settings: Arguments.kwargs,
    ) -> Future[Result]:
        """The future of ``job(*arguments)``.

        Args:
            job: can be pickled, like its arguments and its result.
            seconds: from its start, after which it is ended.
            arguments: of the job.
            settings: of the job.

        Raises:
            RuntimeError: the processes were closed.
        """
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the processes are closed")
            try:
                future = self._pool.schedule(job, arguments, settings, timeout=seconds)
            except RuntimeError:  # its own threads failed, as where no process could be started: memory was short
                self._end()
                self._pool = process_pool(self._num_workers, self._imported, most_jobs=MOST_JOBS)
                future = self._pool.schedule(job, arguments, settings, timeout=seconds)
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def close(self) -> None:
        """End all processes at once; the jobs that run or wait are cancelled."""
        with self._lock:
            self._is_closed = True
            self._end()

    def _end(self) -> None:
        for future in [*self._pending]:
            future.cancel()  # a pool that is stopped leaves whoever waits for them waiting
        self._pool.stop()
        self._pool.join()
