"""Children of a server process, killed with SIGKILL at a moment of the test's choice, and where each kill fell."""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

SERVER = Path(__file__).parent / "forking_server.py"
BOARD_BYTES = 64
PATIENCE_SECONDS = 120  # for a child that hangs; none takes nearly as long


@dataclass(frozen=True)
class Aim:
    """The moment of a kill: so many changes of place after the start, and then a little later.

    Args:
        changes: changes on the board of the child.
        delay_seconds: from the last of them to the kill.
        is_inside: wait on until the child is in the middle of something.
        is_time: what has to be true besides, as of the files that the child's workers write.
    """

    changes: int
    delay_seconds: float
    is_inside: bool = False
    is_time: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Ended:
    """How a child ended, and where it was then, such as in a ``step``, a ``write``, a ``rename``, or ``between``.

    Args:
        status: its exit status, -9 where it was killed.
        place: what was on its board last.
        changes: how often its place had changed.
        output: all that it printed.
        journal: what it did, in order.
    """

    status: int
    place: str
    changes: int
    output: str
    journal: list[dict]

    @property
    def was_killed(self) -> bool:
        return self.status == -signal.SIGKILL

    def unflushed(self, folder: Path) -> list[str]:
        """Files below ``folder`` that got their name before their content was on the disk: a power cut shows it."""
        flushed: set[str] = set()
        found = []
        for fact in self.journal:
            if "fsync" in fact:
                flushed.add(fact["fsync"])
            elif "copy" in fact and fact["copy"][1].startswith(str(folder)):
                found.append(fact["copy"][1])
            elif "rename" in fact:
                source, target = fact["rename"]
                if target.startswith(str(folder)) and source not in flushed and not Path(target).is_dir():
                    found.append(target)
        return found

    def refusal(self) -> str:
        """The one line of a command that was refused."""
        assert self.status == 2, self
        assert "Traceback" not in self.output, self.output
        (line,) = [line for line in self.output.splitlines() if line.startswith("vidcls: error: ")]
        return line


class Children:
    """Starts jobs of vidcls in forks of a process that has imported everything.

    Args:
        folder: for what a child leaves: its board, its journal, its output.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._answer("ready")

    def _answer(self, key: str) -> int:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the server of children has ended"
        return int(json.loads(line)[key])

    def run(
        self,
        folder: Path,
        *words: object,
        job: str = "vidcls",
        aim: Aim | None = None,
        faults: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        in_process: bool = True,
    ) -> Ended:
        """Do a job in ``folder``, killed at ``aim`` unless it has ended by then."""
        self._number += 1
        board, journal, output = (self.folder / f"{self._number}.{kind}" for kind in ("board", "journal", "output"))
        board.write_bytes(bytes(BOARD_BYTES))
        order = {
            "job": job,
            "words": [str(word) for word in words],
            "folder": str(folder),
            "board": str(board),
            "journal": str(journal),
            "output": str(output),
            "faults": list(faults),
            "environment": environment or {},
            "in_process": in_process,
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        child = self._answer("child")
        with board.open("r+b") as file, mmap.mmap(file.fileno(), BOARD_BYTES) as shown:
            _kill_at(child, shown, aim or Aim(10**9, 0))
            status = self._answer("status")
            changes, place = struct.unpack("q24s", shown[:32])
        lines = journal.read_text().splitlines() if journal.is_file() else []
        return Ended(
            status,
            place.rstrip(b"\0").decode() or "between",
            changes,
            output.read_text(),
            [json.loads(x) for x in lines],
        )

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=30)


def _kill_at(child: int, shown: mmap.mmap, aim: Aim) -> None:
    """SIGKILL once the board has changed often enough; return where the child has ended before."""
    started = time.monotonic()
    while not _is_reached(aim, shown[:32]):
        if _has_ended(child):
            return
        if time.monotonic() - started > PATIENCE_SECONDS:
            break
        time.sleep(0.0002)
    time.sleep(aim.delay_seconds)
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_reached(aim: Aim, shown: bytes) -> bool:
    changes, place = struct.unpack("q24s", shown)
    is_placed = changes >= aim.changes and not (aim.is_inside and place.startswith((b"between", b"\0")))
    return is_placed and aim.is_time()


def _has_ended(child: int) -> bool:
    try:
        os.kill(child, 0)
    except ProcessLookupError:
        return True
    return False


@dataclass
class Kills:
    """Kills counted by the place where they fell.

    Args:
        seed: of all moments of a test; printed where the test fails.
    """

    seed: int
    places: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        print(f"seed of the kills: {self.seed}")

    def aim(self, most_changes: int, *, delay_seconds: float = 0.004) -> Aim:
        """A moment at random; half of them in the middle of a write or a step."""
        is_inside = self.random.random() < 0.5
        delay_seconds *= 0.25 if is_inside else 1
        return Aim(self.random.randint(1, max(1, most_changes)), self.random.uniform(0, delay_seconds), is_inside)

    @property
    def num_kills(self) -> int:
        return self.places.total()

    def settle(self, *, is_lost: bool) -> None:
        """Count all kills since the last time as recovered from or lost."""
        since = self.num_kills - self.recovered - self.lost
        if is_lost:
            self.lost += since
        else:
            self.recovered += since

    @property
    def num_inside(self) -> int:
        """Kills in the middle of a write, a step or a validation."""
        return self.num_kills - self.places["between"]

    def note(self) -> str:
        """The places in words."""
        places = ", ".join(f"{number} {place}" for place, number in self.places.most_common())
        return f"{self.num_inside} of {self.num_kills} inside a write or a step ({places}); seed {self.seed}"


@pytest.fixture(scope="package")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    """The server, started once."""
    server = Children(tmp_path_factory.mktemp("children"))
    yield server
    server.close()


@pytest.fixture
def kills() -> Callable[[int], Kills]:
    """``kills(seed)`` counts the kills of a test."""
    return Kills
