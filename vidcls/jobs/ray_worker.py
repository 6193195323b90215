"""A job and one video -> what became of it, on some machine of a cluster: the code of a worker."""

from __future__ import annotations

import copy
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from vidcls.errors import VidclsError
from vidcls.jobs.outcome import Result
from vidcls.jobs.shared_folder import Mark
from vidcls.remote.permission import allow_remote
from vidcls.trusted_classes import allow_classes
from vidcls.types import VideoRecord


@dataclass(frozen=True, slots=True)
class Order(Generic[Result]):
    """What a worker is to know before its first video.

    Args:
        job: what to do with a video.
        marks: what a worker must see where it shares its storage with the command.
        number: of the worker.
        folder: the current folder of the command, from which relative paths lead.
        version: of vidcls that the command has.
    """

    job: Callable[[VideoRecord], Result]
    marks: Sequence[Mark]
    number: int
    folder: str
    version: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that can begin, or why it cannot.

    Args:
        node: name and address of its machine.
        node_id: by which Ray knows it.
        problem: what is wrong there, in one line; empty where nothing is.
        unseen: the same of what it does not see, which may have gone since for the command, too.
    """

    node: str
    node_id: str
    problem: str = ""
    unseen: str = ""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """What became of one video.

    Args:
        result: what the job returned.
        error: what it raised.
        seconds: that it took.
    """

    result: Result | None
    error: BaseException | None
    seconds: float


class RayWorker:
    """A process on some machine of the cluster, which does a job for one video after the other."""

    def __init__(self) -> None:
        self._job: Callable[[VideoRecord], object] | None = None
        self._problem = ""

    def allow(self, paths: Sequence[str], classes: Sequence[str], protocols: Sequence[str]) -> None:
        """To be called first, as the job may be of a class that only this leads to; :meth:`start` says what failed.

        Args:
            paths: where the command looks for modules, such as those of classes of the user's own.
            classes: packages whose classes a file may name, as the user allowed the command.
            protocols: of addresses that it may read, likewise.
        """
        sys.path.extend(path for path in paths if path not in sys.path)
        try:
            allow_classes(classes)
            allow_remote(*protocols)
        except VidclsError as error:  # such as a package that this node lacks
            self._problem = f"cannot start a worker: {error}"

    def start(self, order: Order[Result]) -> Ready:
        """Be as a worker on this machine is: one thread, no warnings, the same folder."""
        import ray

        from vidcls import __version__
        from vidcls.jobs.pools import be_worker

        be_worker(order.number)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        node_id, address = ray.get_runtime_context().get_node_id(), ray.util.get_node_ip_address()
        node = f"{socket.gethostname()} ({address})"
        if __version__ != order.version:
            self._problem = f"has vidcls {__version__}, the command has {order.version}: install the same on all nodes"
        if self._problem:
            return Ready(node, node_id, self._problem)
        if Path(order.folder).is_dir():
            os.chdir(order.folder)
        self._job = order.job
        unseen = [problem for mark in order.marks if (problem := mark.problem())]
        return Ready(node, node_id, unseen=unseen[0] if unseen else "")

    def do(self, record: VideoRecord) -> Done[object]:
        """Do the job; what it raises is its outcome, so that nobody takes it for a lost worker."""
        assert self._job is not None
        started = time.monotonic()
        try:
            return Done(self._job(record), None, time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - the outcome of this video, as from a process
            return Done(None, _travelling(error), time.monotonic() - started)


def _travelling(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot be pickled."""
    try:
        copy.deepcopy(error)  # made again as from a pickle
    except Exception:  # noqa: BLE001 - whatever a class of somebody else's does
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
