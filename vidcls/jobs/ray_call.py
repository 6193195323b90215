"""A question to a worker of a Ray cluster, and what an answer that does not come says of it."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from vidcls.errors import ConfigurationError, first_line
from vidcls.types import VideoRecord


@dataclass
class Worker:
    """A worker, as the command knows it.

    Args:
        actor: what Ray calls it by.
        node: name and address of its machine, once it is ready.
        node_id: by which Ray knows that.
    """

    actor: Any
    node: str = ""
    node_id: str = ""


@dataclass
class Task:
    """A video that is to be done.

    Args:
        record: the video.
        num_lost: workers that were lost with it.
    """

    record: VideoRecord
    num_lost: int = 0


@dataclass
class Call:
    """A question that a worker has not answered.

    Args:
        worker: the worker.
        task: the video that it is about; None for whether the worker is ready.
        seconds: that it may take; None for any.
        started: when it was asked.
    """

    worker: Worker
    task: Task | None
    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def age_seconds(self) -> float:
        """Since when it has waited."""
        return time.monotonic() - self.started


def cause_of(error: RayTaskError) -> BaseException:
    """What the worker raised."""
    cause = error.cause
    return cause if isinstance(cause, BaseException) else error


def start_error(error: RayTaskError) -> ConfigurationError:
    """What a worker raised before its first video, in one line."""
    cause = cause_of(error)
    return ConfigurationError(
        f"a node of the cluster cannot start a worker ({type(cause).__name__}: {first_line(cause)}): install the "
        "same version of vidcls, with the same extras, on all nodes, and the files of classes of your own"
    )


def how_lost(worker: Worker, error: RayError, alive: Container[str]) -> str:
    """What became of a worker, as in "the node HOST was lost".

    Args:
        worker: that does not answer.
        error: what Ray says of it.
        alive: ids of the nodes that are there.
    """
    where = worker.node or "a node"
    if isinstance(error, OutOfMemoryError):
        return f"the node {where} ran out of memory"
    if (worker.node_id and worker.node_id not in alive) or "node has died" in str(error):
        return f"the node {where} was lost"
    return f"the process on {where} ended (it crashed, or was killed, as where memory is short)"
