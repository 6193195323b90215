"""A job and videos -> an outcome for each, by workers on the machines of a Ray cluster, of which any may be lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypedDict

from vidcls.cluster_address import LOCAL
from vidcls.jobs.ledger import Ledger
from vidcls.jobs.outcome import Outcome, Result
from vidcls.jobs.pools import Seconds
from vidcls.jobs.ray_session import ray_session
from vidcls.jobs.shared_folder import marked
from vidcls.remote.places import Place
from vidcls.types import VideoRecord


class Needs(TypedDict):
    """What a worker takes of its node; see :class:`RayCluster`."""

    num_cpus: float
    num_gpus: float
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a cluster may fail to do something until that counts.

    Args:
        head_silent_seconds: until a head that does not answer is lost; together with the next well below 300, after
            which Ray ends a process that waits for it.
        head_return_seconds: until a head that was lost must be back.
        room_seconds: until some node must have room for a worker; a cloud may take minutes to start one.
    """

    head_silent_seconds: float = 30.0
    head_return_seconds: float = 120.0
    room_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class RayCluster:
    """Workers on a Ray cluster, each a process that works on one thread, as those of :class:`LocalProcesses` do.

    Workers start wherever the cluster has room for one, also on nodes that join later. A video whose worker is lost,
    with its node, killed for memory or by a crash of a decoder, is tried again by another; an error of its job is not,
    nor a video that takes too long, whose worker is ended.

    Args:
        address: ``local``, ``auto`` or HOST:PORT; see :func:`vidcls.jobs.ray_session`.
        num_cpus: CPUs that a worker takes of its node; a fraction lets several share one.
        num_gpus: GPUs that a worker takes; a fraction lets several share one.
        memory_bytes: memory that a worker takes; None where it is not counted.
        max_retries: how often a video is tried again after its worker was lost, and how often a lost head is waited
            for.
        num_workers: the most workers; None for as many as the cluster has room for.
        patience: with the cluster.
        files: that the job reads on every node, such as a checkpoint.
    """

    address: str = LOCAL
    num_cpus: float = 1
    num_gpus: float = 0
    memory_bytes: int | None = None
    max_retries: int = 3
    num_workers: int | None = None
    patience: Patience = Patience()
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.num_cpus <= 0:
            raise ValueError(f"num_cpus must be above 0, got {self.num_cpus}")
        if self.num_gpus < 0 or (self.num_gpus > 1 and self.num_gpus != int(self.num_gpus)):
            raise ValueError(f"num_gpus must be a fraction of 1 or an integer, got {self.num_gpus}")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be at least 0, got {self.max_retries}")
        if self.num_workers is not None and self.num_workers < 1:
            raise ValueError(f"num_workers must be at least 1, got {self.num_workers}")

    def each(
        self,
        job: Callable[[VideoRecord], Result],
        records: Iterable[VideoRecord],
        *,
        seconds_each: Seconds = None,
        output: Place | None = None,
    ) -> Iterator[Outcome[Result]]:
        """See :meth:`vidcls.jobs.Pool.each`.

        Raises:
            ConfigurationError: the cluster cannot be reached, has no room for a worker, or other versions.
            DatasetError: a node does not see the videos, ``files`` or ``output``, or the head was lost for good.
            MissingExtraError: Ray is not installed.
        """
        waiting = iter(records)
        first = [*islice(waiting, 1)]
        if not first:
            return
        from vidcls.jobs.ray_run import RayRun  # imports ray

        folder = output if isinstance(output, Path) else None  # at an address all nodes see it
        with (
            ray_session(self.address, num_cpus=self._cpus_of_this_machine()) as session,
            marked(folder, first, self.files) as marks,
            Ledger(output) as ledger,
            RayRun(self, session, job, chain(first, waiting), seconds_each, marks, ledger) as run,
        ):
            yield from run.outcomes()

    @property
    def needs(self) -> Needs:
        """What a worker takes of its node."""
        return {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "memory_bytes": self.memory_bytes}

    def _cpus_of_this_machine(self) -> int | None:
        """What a Ray of this machine is to count, so that as many workers as were asked for have room."""
        if self.num_workers is None:
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return -int(-self.num_workers * self.num_cpus // 1)
