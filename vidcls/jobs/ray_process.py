"""A worker of Ray Train -> a process of the job, its lines on the board, and how it ended.

The process has the environment that torchrun gives, so that it knows nothing of Ray. It ends where its worker is lost.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from vidcls.launched import PARENT

POLL_SECONDS = 0.2
SECONDS_TO_SPEAK = 3.0  # for a process whose error ends the others too
BAD_INPUT = 2
TAIL_LINES = 40
ERROR = "vidcls: error: "  # how the command line begins its one line


@dataclass(frozen=True)
class Job:
    """What each process runs.

    Args:
        start: the words behind ``python -m vidcls`` of the first start.
        resume: those that go on from the checkpoint.
        checkpoint: the file; it counts where it has changed since the job began.
        run: the folder of the training, on a disk that all nodes share.
        folder: the current folder of the processes.
        environment: what they find in it besides that of the node.
    """

    start: tuple[str, ...]
    resume: tuple[str, ...]
    checkpoint: Path
    run: Path
    folder: Path
    environment: Mapping[str, str]


def be_process(config: dict[str, Any]) -> None:
    """Run one process of the job to its end, as a worker of Ray Train.

    Raises:
        RuntimeError: it ended badly, so that Ray Train starts all of them again.
    """
    import ray
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero

    job, board = config["job"], config["board"]
    rank, world_size = (ray.train.get_context().get_world_rank(), ray.train.get_context().get_world_size())
    address = ray.util.get_node_ip_address()
    plan: dict[str, Any] | None = None
    if rank == 0:
        changed = stamp(job.checkpoint)
        plan = {"address": address, "port": _free_port(), "resumes": changed not in (None, config["before"])}
        if not ray.get(board.asks_to_end.remote()):
            ray.get(board.begin.remote(plan["resumes"]))
    plan = broadcast_from_rank_zero(plan)
    assert plan is not None
    if ray.get(board.asks_to_end.remote()):
        return
    if not job.folder.is_dir():
        message = f"node {address} has no folder {job.folder}: run the command in one on a disk that all nodes share"
        ray.get(board.refuse.remote(message))
        return
    name = f"process {rank} of 0 to {world_size - 1} on node {address}"
    words = job.resume if plan["resumes"] else job.start
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "vidcls", *words],
        cwd=job.folder,
        env=_environment(job, plan, rank=rank, world_size=world_size),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _follow(process, board, name, is_first=rank == 0)


def stamp(checkpoint: Path) -> tuple[int, int, int] | None:
    """What changes with the file; None where there is none."""
    try:
        found = checkpoint.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _follow(process: subprocess.Popen[bytes], board: Any, name: str, *, is_first: bool) -> None:
    """Pass on what a process says until it ends, and how it ended."""
    import ray

    lines: SimpleQueue[tuple[str, str]] = SimpleQueue()
    readers = [
        threading.Thread(target=_read, args=(stream, kind, lines), daemon=True)
        for stream, kind in ((process.stdout, "out"), (process.stderr, "err"))
    ]
    for reader in readers:
        reader.start()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    is_asked = False
    while (status := process.poll()) is None:
        _pass_on(lines, board, tail, is_first=is_first)
        if not is_asked and ray.get(board.asks_to_end.remote()):
            process.send_signal(signal.SIGTERM)
            is_asked = True
        time.sleep(POLL_SECONDS)
    for reader in readers:  # a loader worker of a process that was killed may hold the pipe a little longer
        reader.join(SECONDS_TO_SPEAK)
    _pass_on(lines, board, tail, is_first=is_first)
    if status == 0 or is_asked:
        return
    if status == BAD_INPUT:
        ray.get(board.refuse.remote(_refusal(tail)))
        return
    until = time.monotonic() + SECONDS_TO_SPEAK
    while time.monotonic() < until:  # another one's mistake ends this one too
        if ray.get(board.asks_to_end.remote()):
            return
        time.sleep(POLL_SECONDS)
    how = f"{name} {_how(status)}"
    ray.get(board.lose.remote(how, [] if is_first else [*tail]))
    raise RuntimeError(how)


def _pass_on(lines: SimpleQueue[tuple[str, str]], board: Any, tail: deque[str], *, is_first: bool) -> None:
    found: list[tuple[str, str]] = []
    while True:
        try:
            found.append(lines.get_nowait())
        except Empty:
            break
    tail.extend(line for kind, line in found if kind == "err")
    shown = [(kind, line) for kind, line in found if not line.startswith(ERROR)]
    if is_first and shown:
        board.say.remote(shown)


def _read(stream: IO[bytes], kind: str, lines: SimpleQueue[tuple[str, str]]) -> None:
    for line in stream:
        lines.put((kind, line.decode(errors="replace").rstrip("\r\n")))


def _refusal(tail: deque[str]) -> str:
    """The one line in which the command said what is wrong."""
    found = [line.removeprefix(ERROR) for line in tail if line.startswith(ERROR)]
    return found[-1] if found else "; ".join([*tail][-1:]) or "a process refused its options without a word"


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"


def _environment(job: Job, plan: Mapping[str, Any], *, rank: int, world_size: int) -> dict[str, str]:
    """That of the node, and what torchrun tells a process, each process as a node of its own.

    Ray shows a worker only the GPUs that are its own, so that each counts them from 0.
    """
    of_node = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return {
        **of_node,
        **job.environment,
        PARENT: str(os.getpid()),
        "MASTER_ADDR": plan["address"],
        "MASTER_PORT": str(plan["port"]),
        "WORLD_SIZE": str(world_size),
        "RANK": str(rank),
        "LOCAL_WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "GROUP_WORLD_SIZE": str(world_size),
        "GROUP_RANK": str(rank),
        "TORCHELASTIC_RUN_ID": job.run.name,
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
