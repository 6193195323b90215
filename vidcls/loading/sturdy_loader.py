"""A data loader whose workers may die: it says which video did it, and goes on from the same batch."""

from __future__ import annotations

import signal
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sized
from multiprocessing.connection import wait
from typing import Protocol

from torch.utils.data import DataLoader

from vidcls.errors import LoaderError
from vidcls.loading.shared_memory import check_room, naming_shared_memory
from vidcls.loading.worker_watch import Death, WorkerWatch
from vidcls.types import Batch

DYING_SECONDS = 10.0  # from when a worker answers no more until it is gone
WORKER_DEATHS_FOR_NOTHING = 3  # so often may workers die that were reading no video


class WorkerDeathWarning(UserWarning):
    """A loader worker died; its batch is loaded again."""


class Batches(Sized, Protocol):
    """A batch sampler that can start anywhere."""

    start_batch: int


class Videos(Protocol):
    """A data set that can be told which of its videos must not be opened again."""

    def path_of(self, index: int) -> str:
        """The file of a video."""

    def refuse(self, index: int, reason: str) -> None:
        """Do not open a video again: it cannot be read, for this reason."""


def leave_signals_to_parent(worker: int) -> None:  # noqa: ARG001
    """Let a worker live on at Ctrl+C and where the terminal is closed: the main process ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class SturdyLoader:
    """Yields the batches of a loader; where a worker dies, new ones go on from the batch that is due.

    A video that was in the hands of a worker that died is read once more, since the fault may have been another's
    (too little memory). If that kills a worker again, or if reading took too long, the video counts as unreadable: the
    data set then does with it what it does with a file that cannot be decoded. Since each sample depends on nothing but
    its key, the batches are those of an undisturbed loader.

    Args:
        loader: with ``batches`` as its batch sampler and ``videos`` as its data set.
        videos: what is loaded.
        batches: the order.
        watch: knows which worker has which video; the data set tells it.
    """

    def __init__(self, loader: DataLoader[Batch], videos: Videos, batches: Batches, watch: WorkerWatch) -> None:
        self.loader = loader
        self._videos = videos
        self._batches = batches
        self._watch = watch
        self._deaths: Counter[int | None] = Counter()

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches_from(0)

    def batches_from(self, start_batch: int) -> Iterator[Batch]:
        """The batches of a pass from one of them on."""
        batches = self._started(start_batch)
        while True:
            try:
                with naming_shared_memory():
                    batch = next(batches)
            except StopIteration:
                return
            except (RuntimeError, ConnectionError, EOFError) as error:  # the latter: it died while handing a batch over
                self._after_deaths(batches, error)
                batches = self._started(start_batch)
                continue
            start_batch += 1
            yield batch

    def close(self) -> None:
        """End the worker processes; the next pass starts new ones.

        Left to the garbage collector, which a traceback may hold off, each of them is waited for during 5 seconds.
        """
        if self.loader._iterator is not None:  # persistent workers
            self.loader._iterator._shutdown_workers()  # type: ignore[attr-defined]
        self.loader._iterator = None

    def _started(self, start_batch: int) -> Iterator[Batch]:
        """The loader's iterator, without torch's answer to a dead child, which interrupts whatever then runs."""
        self._batches.start_batch = start_batch
        check_room(self.loader.num_workers)
        if threading.current_thread() is not threading.main_thread():
            return iter(self.loader)
        before = signal.getsignal(signal.SIGCHLD)
        with naming_shared_memory():
            batches = iter(self.loader)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
        return batches

    def _after_deaths(self, batches: Iterator[Batch], error: Exception) -> None:
        """Decide about the videos that dead workers had; raises where the error is another one, or the end."""
        workers = getattr(batches, "_workers", [])
        if not isinstance(error, RuntimeError):
            dying = wait([worker.sentinel for worker in workers], timeout=DYING_SECONDS)
            for worker in workers:
                if worker.sentinel in dying:
                    worker.join(DYING_SECONDS)  # its files are closed before its status is known
        deaths = self._watch.deaths(workers)
        if not deaths:
            raise error
        for worker in workers:
            worker.terminate()
        self.close()
        for death in deaths:
            self._decide(death)

    def _decide(self, death: Death) -> None:
        self._deaths[death.index] += 1
        if death.index is None:
            if self._deaths[None] >= WORKER_DEATHS_FOR_NOTHING:
                raise LoaderError(
                    f"loader workers died {self._deaths[None]} times while reading no video ({death.how}): give "
                    "fewer --data.num_workers or a smaller --data.batch_size"
                )
            warnings.warn(f"a loader worker without a video died: {death.how}", WorkerDeathWarning, stacklevel=4)
            return
        path = self._videos.path_of(death.index)
        if death.is_hang or self._deaths[death.index] > 1:
            self._videos.refuse(death.index, death.how)
        else:
            warnings.warn(f"{path}: {death.how}; it is read once more", WorkerDeathWarning, stacklevel=4)
