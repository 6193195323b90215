"""A checkpoint and its exported file -> milliseconds per clip of each way to run it, alternately.

Each way has a process of its own, whose program is ``main``: it prepares, says that it is ready, and measures a few
clips whenever it reads a line. So a slow minute of the machine meets all of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from vidcls.errors import VidclsError
from vidcls.trusted_classes import allow_classes, allowed_classes, look_in_current_folder

Way = Literal["torch eager", "torch.compile", "file"]
WAYS: tuple[Way, ...] = ("torch eager", "torch.compile", "file")
NUM_ROUNDS = 5
SECONDS_A_ROUND = 0.5
READY = "ready"


@dataclass(frozen=True)
class TimingRequest:
    """What one process runs.

    Args:
        way: how.
        checkpoint: the trained model.
        file: the exported one.
        num_threads: of the processor.
    """

    way: Way
    checkpoint: str
    file: str
    num_threads: int


@dataclass(frozen=True)
class Timing:
    """What was measured of one way.

    Args:
        way: how the network ran.
        num_threads: of the processor.
        milliseconds: of one clip, the median of each round; empty where it could not be run.
        reason: why not.
    """

    way: Way
    num_threads: int
    milliseconds: tuple[float, ...] = ()
    reason: str = ""

    @property
    def median(self) -> float | None:
        """Milliseconds per clip; None where it could not be run."""
        return statistics.median(self.milliseconds) if self.milliseconds else None


def thread_counts() -> tuple[int, ...]:
    """One thread, and all that this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return (1,) if available == 1 else (1, available)


def measure(
    checkpoint: Path,
    file: Path,
    *,
    say: Callable[[str], object],
    num_rounds: int = NUM_ROUNDS,
    ways: Sequence[Way] = WAYS,
    counts: Sequence[int] | None = None,
) -> list[Timing]:
    """Milliseconds per clip of every way on one thread and on all.

    Args:
        checkpoint: the trained model.
        file: the exported one.
        say: prints a line of progress.
        num_rounds: how often each way is measured.
        ways: which of them.
        counts: numbers of threads; None for one and for all.
    """
    requests = [
        TimingRequest(way, str(checkpoint), str(file), num) for num in counts or thread_counts() for way in ways
    ]
    found: dict[TimingRequest, list[float]] = {request: [] for request in requests}
    reasons: dict[TimingRequest, str] = {}
    with ExitStack() as stack:
        workers: dict[TimingRequest, _Worker] = {}
        for request in requests:
            say(f"preparing {request.way}, {threads(request.num_threads)}")
            workers[request] = stack.enter_context(_Worker(request))
            reason = workers[request].wait_until_ready()
            if reason:
                reasons[request] = reason
        for _ in range(num_rounds):
            for request in requests:
                if request not in reasons:
                    found[request].append(workers[request].measure())
    return [
        Timing(request.way, request.num_threads, tuple(found[request]), reasons.get(request, ""))
        for request in requests
    ]


def threads(num: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{num} thread{'' if num == 1 else 's'}"


class _Worker:
    """A process that measures when it is asked to."""

    def __init__(self, request: TimingRequest) -> None:
        program = [sys.executable, "-P", "-m", __name__, json.dumps(asdict(request)), *allowed_classes()]
        environment = {**os.environ, "OMP_NUM_THREADS": str(request.num_threads)}
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_ready(self) -> str:
        """Empty, or why it cannot measure."""
        if self._out.readline().strip() == READY:
            return ""
        lines = [line for line in (self._process.communicate()[1] or "").splitlines() if line.strip()]
        return lines[-1] if lines else f"ended with status {self._process.returncode}"

    def measure(self) -> float:
        """Milliseconds per clip, the median of a round."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._out.readline())

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


def main(argv: Sequence[str]) -> int:
    """Measure a :class:`TimingRequest` whenever a line comes in; behind it, packages whose classes are allowed."""
    allow_classes(argv[1:])
    look_in_current_folder()
    warnings.filterwarnings("ignore")
    request = TimingRequest(**json.loads(argv[0]))
    try:
        run = _PREPARED[request.way](request)
        for _ in range(3):
            run()
    except (VidclsError, RuntimeError, OSError) as error:  # such as no compiler
        print(" ".join(str(error).split())[:300], file=sys.stderr)
        return 2
    print(READY, flush=True)
    for _ in sys.stdin:
        print(_milliseconds(run), flush=True)
    return 0


def _milliseconds(run: Callable[[], object]) -> float:
    found: list[float] = []
    started = time.perf_counter()
    while not found or time.perf_counter() - started < SECONDS_A_ROUND:
        before = time.perf_counter()
        run()
        found.append(1e3 * (time.perf_counter() - before))
    return statistics.median(found)


def _eager(request: TimingRequest) -> Callable[[], object]:
    return _torch(request, is_compiled=False)


def _compiled(request: TimingRequest) -> Callable[[], object]:
    return _torch(request, is_compiled=True)


def _torch(request: TimingRequest, *, is_compiled: bool) -> Callable[[], object]:
    import torch

    from vidcls.export.export import graph_of

    torch.set_num_threads(request.num_threads)
    graph = graph_of(Path(request.checkpoint))
    clip = graph.example(num_views=1)
    run = torch.compile(graph) if is_compiled else graph

    def once() -> object:
        with torch.inference_mode():
            return run(*clip)

    return once


def _exported(request: TimingRequest) -> Callable[[], object]:
    from vidcls.export.answers import random_clip_of
    from vidcls.runtime.session import OnnxSession

    if request.file.endswith(".onnx"):
        session = OnnxSession(Path(request.file), device="cpu", num_threads=request.num_threads)
        clip = random_clip_of(session)
        return lambda: session.run(clip)
    import torch

    from vidcls.export.graph import example_of
    from vidcls.inference.pt2_file import load_pt2

    torch.set_num_threads(request.num_threads)
    network = load_pt2(request.file)
    views = example_of(network.facts.input, num_views=1)

    def once() -> object:
        with torch.inference_mode():
            return network.module(*views)

    return once


_PREPARED: dict[Way, Callable[[TimingRequest], Callable[[], object]]] = {
    "torch eager": _eager,
    "torch.compile": _compiled,
    "file": _exported,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
