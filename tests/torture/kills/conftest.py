"""A server that runs commands and kills them, and clips for them to work on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("server.py")
Aim = tuple[str, float, float]


@dataclass(frozen=True)
class Ended:
    """How a command ended: by a kill, in the middle of ``phase``, or by itself with ``status``."""

    killed: bool
    status: int
    counts: list[int]
    phase: str = ""
    said: str = ""


@dataclass
class Killer:
    """Runs commands in children of a server.

    Args:
        process: the server.
        folder: where logs lie.
        landed: where each kill fell.
    """

    process: subprocess.Popen[str]
    folder: Path
    landed: list[str] = field(default_factory=list)
    number: int = 0

    def __call__(self, words: Sequence[object], folder: Path, **request: object) -> Ended:
        """Run ``vidcls`` words in a folder; ``aim`` says when to kill it, ``plant`` what to break."""
        self.number += 1
        log = self.folder / f"{self.number}.log"
        content = {"words": [str(word) for word in words], "folder": str(folder), "log": str(log), **request}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(content) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the server died"
        ended = Ended(**json.loads(answer), said=log.read_text(errors="replace") if log.exists() else "")
        if ended.killed:
            self.landed.append(ended.phase)
            where = f"{ended.phase!r} of {' '.join(map(str, words[:2]))}"
            print(f"kill {len(self.landed)}: {request.get('aim')} fell into {where}")
        return ended


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    process = subprocess.Popen(
        [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    yield Killer(process, tmp_path_factory.mktemp("logs"))
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=60)


def random_aim(choice: random.Random, counts: Sequence[int], seconds: float) -> Aim:
    """A moment: within a step or a write of those that a whole run has (by its counts), or anywhere in its time."""
    names = [name for name, count in zip(("between", "step", "write"), counts, strict=True) if count]
    name = choice.choice([*names, *names, "time"])
    if name == "time":
        return "time", choice.uniform(0, seconds), 0.0
    count = counts[("between", "step", "write").index(name)]
    return name, choice.randint(1, max(1, count // 3)), choice.uniform(0, 0.004)


@pytest.fixture(scope="session")
def aims() -> object:
    """:func:`random_aim`."""
    return random_aim
