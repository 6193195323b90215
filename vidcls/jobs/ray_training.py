"""A command, several times at once on a Ray cluster -> its end; again from its checkpoint where a process is lost.

What torchrun does on machines that stay, Ray Train (https://docs.ray.io/en/latest/train/train.html, its second version)
does on nodes that may go: it places N workers, and where one ends badly starts all of them again, as often as allowed.
Each worker runs the command in a process of its own, with the environment that torchrun gives, so that the command
itself knows nothing of Ray.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vidcls.errors import ConfigurationError, first_line
from vidcls.jobs.ray_process import Job, be_process, stamp

POLL_SECONDS = 0.2
SECONDS_TO_STOP = 90.0  # for the batch that is computed
SECONDS_TO_WAIT = 30.0  # for free CPUs, before a line says so
STORAGE = ".ray_train"


@dataclass(frozen=True)
class Nodes:
    """Where the processes run.

    Args:
        num_processes: in all.
        num_nodes: nodes that they are spread over evenly; None leaves it to Ray.
        num_cpus: of each process.
        num_gpus: of each process.
        max_failures: how often all of them are started again after one was lost.
    """

    num_processes: int
    num_nodes: int | None = None
    num_cpus: float = 1
    num_gpus: float = 0
    max_failures: int = 3

    @property
    def placement(self) -> str:
        """The strategy of a placement group of Ray."""
        if self.num_nodes is None:
            return "PACK"
        if self.num_nodes == 1:
            return "STRICT_PACK"
        return "STRICT_SPREAD" if self.num_nodes == self.num_processes else "SPREAD"


class Board:
    """What the processes say and what they are told: one of them for a training, an actor beside the driver."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._num_starts = 0
        self._losses: list[str] = []
        self.refusal: str | None = None
        self.is_over = False

    def begin(self, resumes: bool) -> None:
        """Another start of all processes."""
        if self._num_starts:
            how = "; ".join(self._losses) or "a process or its node was lost"
            where = "from its last checkpoint" if resumes else "from its beginning: no checkpoint was saved"
            self._lines.append(("err", f"{how}; the training goes on {where} (restart {self._num_starts})"))
        self._num_starts += 1
        self._losses = []

    def say(self, lines: list[tuple[str, str]]) -> None:
        """Lines of the first process, each with the stream that it belongs to."""
        self._lines += lines

    def lose(self, how: str, tail: list[str]) -> None:
        """A process has ended badly; the last lines that it wrote to stderr."""
        self._losses.append(how)
        self._lines += [("err", line) for line in tail]

    def refuse(self, message: str) -> None:
        """A process has found a mistake of the user's: another start would find it too."""
        self.refusal = self.refusal or message
        self.is_over = True

    def stop(self) -> None:
        """All processes are to end after their batch."""
        self.is_over = True

    def asks_to_end(self) -> bool:
        """Whether the processes are to end."""
        return self.is_over

    def take(self) -> tuple[list[tuple[str, str]], int]:
        """The lines since the last call, and the number of starts."""
        lines, self._lines = self._lines, []
        return lines, self._num_starts

    def end(self) -> tuple[str | None, list[str]]:
        """The mistake of the user's, and what was lost since the last start."""
        return self.refusal, self._losses


def run_on_ray(job: Job, nodes: Nodes, say: Callable[[str, str], None]) -> str | None:
    """Run the job to its end within a session of Ray.

    Args:
        job: what to run.
        nodes: where.
        say: is given the stream, ``out`` or ``err``, and a line.

    Returns:
        what was lost last, where it was lost more often than allowed; None where the job was done.

    Raises:
        ConfigurationError: a process refused what the user asked for.
        KeyboardInterrupt, SystemExit: a signal came; the processes have ended after their batch.
        Exception: what Ray Train raises where it cannot begin.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(num_cpus=0, scheduling_strategy=here)  # type: ignore[call-overload]
    board = actor(Board).remote()
    training = _Training(job, nodes, board)
    thread = threading.Thread(target=training.run, daemon=True)  # in the main one Ray takes Ctrl+C over
    thread.start()
    try:
        _show(board, thread, nodes, say)
        refusal, losses = ray.get(board.end.remote())
    except RayError as error:
        return _lost_cluster(error)
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:  # of Ray itself, where the node of this process is lost
            return _lost_cluster(error)
        _stop(board, thread, say)
        raise
    finally:
        shutil.rmtree(job.run / STORAGE, ignore_errors=True)
    if refusal is not None:
        raise ConfigurationError(refusal)
    if training.error is not None:
        raise training.error
    return None if training.loss is None else "; ".join(losses) or training.loss


def _stop(board: Any, thread: threading.Thread, say: Callable[[str, str], None]) -> None:
    from ray.exceptions import RayError

    with contextlib.suppress(RayError):
        board.stop.remote()
        thread.join(SECONDS_TO_STOP)
        _say_all(board, say)


def _lost_cluster(error: BaseException) -> str:
    return f"the Ray cluster was lost ({first_line(error)})"


@dataclass
class _Training:
    """A call of Ray Train in a thread: in the end what was lost, or an error that was no loss."""

    job: Job
    nodes: Nodes
    board: Any
    loss: str | None = None
    error: Exception | None = None

    def run(self) -> None:
        from ray.exceptions import RayError
        from ray.train.v2.api.exceptions import TrainingFailedError

        try:
            self._fit()
        except TrainingFailedError as error:
            self.loss = first_line(error)
        except (SystemExit, RayError) as error:  # where the node of this process is lost, Ray ends the program
            self.loss = _lost_cluster(error)
        except Exception as error:  # noqa: BLE001 - nobody sees it in a thread: the main one raises it
            self.error = error

    def _fit(self) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

        resources = {"CPU": self.nodes.num_cpus} | ({"GPU": self.nodes.num_gpus} if self.nodes.num_gpus else {})
        trainer = DataParallelTrainer(
            be_process,
            train_loop_config={"job": self.job, "board": self.board, "before": stamp(self.job.checkpoint)},
            scaling_config=ScalingConfig(
                num_workers=self.nodes.num_processes,
                use_gpu=self.nodes.num_gpus > 0,
                resources_per_worker=resources,
                placement_strategy=self.nodes.placement,
            ),
            run_config=RunConfig(
                name="training",
                storage_path=str(self.job.run / STORAGE),
                failure_config=FailureConfig(max_failures=self.nodes.max_failures),
            ),
        )
        trainer.fit()


def _show(board: Any, thread: threading.Thread, nodes: Nodes, say: Callable[[str, str], None]) -> None:
    """Print what the processes say until the training ends."""
    waits_since, seen, is_said = time.monotonic(), 0, False
    while thread.is_alive():
        thread.join(POLL_SECONDS)
        num_starts = _say_all(board, say)
        if num_starts > seen:
            seen, is_said = num_starts, True
        elif not is_said and time.monotonic() - waits_since > SECONDS_TO_WAIT:
            say("err", _waiting(nodes))
            is_said = True
    _say_all(board, say)


def _say_all(board: Any, say: Callable[[str, str], None]) -> int:
    import ray

    lines, num_starts = ray.get(board.take.remote())
    for stream, line in lines:
        say(stream, line)
    return int(num_starts)


def _waiting(nodes: Nodes) -> str:
    import ray

    free, alive = ray.available_resources(), [node for node in ray.nodes() if node["Alive"]]
    wanted = f"{nodes.num_processes} processes of {nodes.num_cpus:g} CPU"
    wanted += f" and {nodes.num_gpus:g} GPU each" if nodes.num_gpus else " each"
    over = f" on {nodes.num_nodes} nodes" if nodes.num_nodes is not None else ""
    return (
        f"waiting until Ray has placed {wanted}{over}: of the cluster's {len(alive)} nodes "
        f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU are free now"
    )
