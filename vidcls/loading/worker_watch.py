"""Loader workers -> which video each is reading, known even when one dies or hangs."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import torch
from torch.utils.data import get_worker_info

from vidcls.loading.shared_memory import naming_shared_memory

NOTHING = -1.0
EXIT_OF_FAULTHANDLER = 1  # the status with which it ends a process


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker ended.

    Args:
        index: the video that it was reading, by its position in the list; None where it had none.
        how: what happened, to follow the name of a video.
        is_hang: whether it was ended for being too slow.
    """

    index: int | None
    how: str
    is_hang: bool


class WorkerWatch:
    """Shared memory in which every worker notes what it reads; one that reads too long ends itself.

    The timer is the kernel's, which ends a worker even where a decoder hangs with Python's lock held. A thread as
    timer, begun and ended for each video, waits for its turn on busy cores, which halves what a loader gives.

    Args:
        num_workers: processes of the loader; with 0 nothing is watched.
        limit_seconds: how long the reading of one video may take; None for ever.
    """

    def __init__(self, num_workers: int, limit_seconds: float | None) -> None:
        self.limit_seconds = limit_seconds
        with naming_shared_memory():
            self._rows = torch.full((num_workers, 2), NOTHING, dtype=torch.float64).share_memory_()  # video, since when

    @contextmanager
    def reading(self, index: int) -> Iterator[None]:
        """The block reads the video of this number, in a worker; elsewhere this does nothing."""
        worker = get_worker_info()
        if worker is None:
            yield
            return
        row = self._rows[worker.id]
        row[1] = time.monotonic()
        row[0] = index
        if self.limit_seconds is not None:
            _start_timer(self.limit_seconds)
        try:
            yield
        finally:
            if self.limit_seconds is not None:
                _stop_timer()
            row[0] = NOTHING

    def deaths(self, workers: Sequence[BaseProcess]) -> list[Death]:
        """What became of the workers that are no more, and which videos they had; forgets them."""
        found = []
        for k, exitcode in _ended(workers):
            video, since = self._rows[k].tolist()
            found.append(self._death(video, since, exitcode))
        self._rows.fill_(NOTHING)
        return found

    def _death(self, video: float, since: float, exitcode: int) -> Death:
        index = None if video == NOTHING else int(video)
        seconds = time.monotonic() - since
        if self.limit_seconds is not None and seconds >= self.limit_seconds and exitcode == _exit_of_timer():
            return Death(index, f"is not read after {self.limit_seconds:g} seconds", is_hang=True)
        if exitcode < 0:
            reason = f"its loader worker was killed by {signal.Signals(-exitcode).name}"
            if -exitcode == signal.SIGKILL:
                reason += " (often out of memory)"
            if -exitcode == signal.SIGBUS:
                reason += " (often a /dev/shm that is too small: set --data.num_workers 0, or docker run --shm-size=2g)"
            return Death(index, reason, is_hang=False)
        return Death(index, f"its loader worker ended with status {exitcode}", is_hang=False)


def _ended(workers: Sequence[BaseProcess]) -> list[tuple[int, int]]:
    return [(k, worker.exitcode) for k, worker in enumerate(workers) if worker.exitcode]


def _start_timer(seconds: float) -> None:
    """End this process that much later, whatever it then does."""
    if sys.platform == "win32":  # it has no such timer
        faulthandler.dump_traceback_later(seconds, exit=True, file=_nowhere())
    else:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _stop_timer() -> None:
    if sys.platform == "win32":
        faulthandler.cancel_dump_traceback_later()
    else:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _exit_of_timer() -> int:
    return EXIT_OF_FAULTHANDLER if sys.platform == "win32" else -signal.SIGALRM


_null: list[int] = []


def _nowhere() -> int:
    """A file descriptor that stays open while this process lives, for a traceback that nobody reads."""
    if not _null:
        _null.append(os.open(os.devnull, os.O_WRONLY))
    return _null[0]
