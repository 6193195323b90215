"""Videos and the workers of a Ray cluster -> outcomes as they come: who does what, and what becomes of lost workers.

Each worker is a Ray actor that has one video at a time, so that it is known since when it works on it, and which video
a lost worker had. Ray itself tries nothing again: it knows no limit of time, and would count a video against a worker
that another one killed.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

import ray
from ray.exceptions import RayError, RayTaskError

from vidcls.console import say
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.jobs.ledger import Ledger
from vidcls.jobs.outcome import LostWorkerError, Outcome, Result
from vidcls.jobs.pools import Seconds
from vidcls.jobs.ray_call import Call, Task, Worker, cause_of, how_lost, start_error
from vidcls.jobs.ray_head import RayHead, answers
from vidcls.jobs.ray_session import RaySession
from vidcls.jobs.ray_worker import Done, Order, RayWorker, Ready
from vidcls.jobs.shared_folder import Mark
from vidcls.remote.permission import allowed_remote
from vidcls.trusted_classes import allowed_classes
from vidcls.types import VideoRecord

if TYPE_CHECKING:
    from vidcls.jobs.ray_cluster import RayCluster

TICK_SECONDS = 0.5
TOLD_SECONDS = 30.0  # without any worker, until that is said


class RayRun(Generic[Result]):
    """One run of a job over videos; see :meth:`vidcls.jobs.Pool.each`.

    Args:
        pool: its settings.
        session: of this process with the cluster.
        job: what to do with a video.
        records: the videos.
        seconds_each: the most that one may take.
        marks: what each worker must see.
        ledger: where it is noted who did what.
    """

    def __init__(
        self,
        pool: RayCluster,
        session: RaySession,
        job: Callable[[VideoRecord], Result],
        records: Iterator[VideoRecord],
        seconds_each: Seconds,
        marks: Sequence[Mark],
        ledger: Ledger,
    ) -> None:
        self._pool, self._session, self._seconds_each = pool, session, seconds_each
        self._job = job
        self._records, self._marks, self._ledger = records, marks, ledger
        self._waiting: deque[Task] = deque()  # those to be tried again, and as many new ones as may start at once
        self._calls: dict[Any, Call] = {}
        self._idle: list[Worker] = []
        self._num_workers = self._num_bad_starts = self._num_heads_lost = 0
        self._ready_at, self._is_told = time.monotonic(), False
        self._head = RayHead(session.address, **pool.needs)

    def __enter__(self) -> Self:
        self._head.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._idle + [call.worker for call in self._calls.values()]:
            self._head.end_worker(worker.actor)
        self._head.stop()

    def outcomes(self) -> Iterator[Outcome[Result]]:
        """The outcome of each video as they come."""
        while self._hand_out():
            for ref in self._answered():
                yield from self._taken(self._calls.pop(ref), ref)
            yield from self._overdue()
            if self._head.silent_seconds > self._pool.patience.head_silent_seconds:
                self._find_head_again()
            self._check_room()

    def _hand_out(self) -> bool:
        """Give a video to each worker without one, start workers where there is room; whether any video is left."""
        most = self._pool.num_workers or max(1, self._head.num_slots)
        self._waiting.extend(Task(record) for record in islice(self._records, max(0, most - len(self._waiting))))
        while self._idle and self._waiting:
            worker, task = self._idle.pop(), self._waiting.popleft()
            seconds = self._seconds_each(task.record) if callable(self._seconds_each) else self._seconds_each
            self._calls[worker.actor.do.remote(task.record)] = Call(worker, task, seconds)
        while self._idle:  # nothing is left for it, and others may use its place
            self._head.end_worker(self._idle.pop().actor)
        num_starting = sum(call.task is None for call in self._calls.values())
        num_missing = min(len(self._waiting) - num_starting, most - len(self._calls))
        if num_missing > 0 and answers(self._head.address):  # else starting one would block
            for _ in range(num_missing):
                self._start_worker()
        return bool(self._waiting) or any(call.task is not None for call in self._calls.values())

    def _start_worker(self) -> None:
        from vidcls import __version__

        pool = self._pool
        needs = {"num_cpus": pool.num_cpus, "num_gpus": pool.num_gpus, "memory": pool.memory_bytes}
        actor: Any = ray.remote(RayWorker).options(max_restarts=0, max_task_retries=0, **needs).remote()
        actor.allow.remote(sys.path, allowed_classes(), allowed_remote())
        order = Order(self._job, self._marks, self._num_workers, str(Path.cwd()), __version__)
        self._num_workers += 1
        self._calls[actor.start.remote(order)] = Call(Worker(actor), None)

    def _answered(self) -> list[Any]:
        """The calls that were answered, or failed, by now; waits a little for the first."""
        refs = list(self._calls)
        if not refs:
            time.sleep(TICK_SECONDS)
            return []
        if ray.wait(refs, timeout=TICK_SECONDS)[0]:
            return ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return []

    def _taken(self, call: Call, ref: Any) -> Iterator[Outcome[Result]]:
        """The outcome of a call, where it is the last word about a video."""
        try:
            answer = ray.get(ref)
        except RayTaskError as error:  # the job, or what it returned, cannot be had from its bytes
            if call.task is None:
                self._head.end_worker(call.worker.actor)
                raise start_error(error) from error
            self._idle.append(call.worker)
            yield self._outcome(call, Done(None, cause_of(error), call.age_seconds))
        except RayError as error:
            yield from self._lost(call, error)
        else:
            if isinstance(answer, Ready):
                self._begin(call.worker, answer)
            else:
                self._idle.append(call.worker)
                yield self._outcome(call, answer)

    def _begin(self, worker: Worker, ready: Ready) -> None:
        is_gone = bool(ready.unseen) and any(mark.problem() for mark in self._marks)  # nobody sees it any more
        if problem := ready.problem or ("" if is_gone else ready.unseen):
            raise DatasetError(f"node {ready.node} of the cluster {problem}")
        worker.node, worker.node_id = ready.node, ready.node_id
        self._idle.append(worker)
        self._ready_at, self._num_bad_starts = time.monotonic(), 0

    def _lost(self, call: Call, error: RayError) -> Iterator[Outcome[Result]]:
        self._head.end_worker(call.worker.actor)  # where it is cut off alone, and still at work
        how = how_lost(call.worker, error, self._head.alive)
        if call.task is None:
            self._num_bad_starts += 1
            if self._num_bad_starts > self._pool.max_retries + self._head.num_slots:
                raise DatasetError(
                    f"workers of the cluster end as they start, {self._num_bad_starts} by now; of the last one {how}: "
                    "see the logs of its nodes, then run the same command again, which goes on from here"
                ) from error
            return
        call.task.num_lost += 1
        if call.task.num_lost <= self._pool.max_retries:
            self._waiting.appendleft(call.task)
        else:
            yield self._outcome(call, Done(None, LostWorkerError(how, call.task.num_lost), call.age_seconds))

    def _overdue(self) -> Iterator[Outcome[Result]]:
        """End the workers whose video took too long."""
        for ref, call in list(self._calls.items()):
            if call.seconds is not None and call.age_seconds > call.seconds:
                del self._calls[ref]
                self._head.end_worker(call.worker.actor)
                yield self._outcome(call, Done(None, TimeoutError("it took too long", call.seconds), call.age_seconds))

    def _outcome(self, call: Call, done: Done[Any]) -> Outcome[Result]:
        assert call.task is not None
        if not getattr(done.result, "kept", False):  # whoever did it then is in the ledger already
            self._ledger.note(
                call.task.record.name,
                is_done=done.error is None,
                tries=max(1, call.task.num_lost + (not isinstance(done.error, LostWorkerError))),
                seconds=done.seconds,
                node=call.worker.node,
                node_id=call.worker.node_id,
            )
        return Outcome(call.task.record, done.result, done.error)

    def _find_head_again(self) -> None:
        """Connect to a head that was started again, with new workers; what was worked on waits again.

        Raises:
            DatasetError: it does not come back, or was lost too often.
        """
        self._num_heads_lost += 1
        patience, address = self._pool.patience, self._session.address
        self._waiting.extendleft(call.task for call in self._calls.values() if call.task is not None)
        self._calls.clear()
        self._idle.clear()
        self._head.stop()
        self._session.leave()
        gone = f"the head of the Ray cluster at {address} was lost"
        again = "what is finished is kept: when the cluster runs again, run the same command again"
        if self._num_heads_lost > self._pool.max_retries:
            raise DatasetError(f"{gone}, {self._num_heads_lost} times by now; {again}")
        say(f"{gone}: waiting {patience.head_return_seconds:.0f} seconds for it to come back", file=sys.stderr)
        try:
            self._session.connect_again(patience.head_return_seconds)
        except ConfigurationError as error:
            raise DatasetError(f"{gone}; {again} ({error})") from error
        self._head = RayHead(self._session.address, **self._pool.needs)
        self._head.start()
        self._ready_at = time.monotonic()

    def _check_room(self) -> None:
        """Say where no worker can start; end where no node could ever have one.

        Raises:
            ConfigurationError: the nodes are too small.
        """
        if any(call.task is not None for call in self._calls.values()):
            self._ready_at = time.monotonic()
            return
        seconds = time.monotonic() - self._ready_at
        needs = self._head.needs
        if not self._head.num_slots and (self._session.is_local or seconds > self._pool.patience.room_seconds):
            raise ConfigurationError(
                f"no node of the cluster has room for a worker of {needs}: pass less of --cpus_per_worker, "
                "--gpus_per_worker or --memory_per_worker, or add larger nodes"
            )
        if seconds > TOLD_SECONDS and not self._is_told:
            self._is_told = True
            say(
                f"no worker has started yet: the nodes of the cluster have room for {self._head.num_slots} workers of "
                f"{needs}, if nothing else runs there; waiting",
                file=sys.stderr,
            )
