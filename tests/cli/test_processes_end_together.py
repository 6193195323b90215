"""One of several processes ends badly: all end soon, with its message and a status that is not 0."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, time
from lightning.fabric.strategies.launchers import subprocess_script
from lightning.pytorch import Callback
from vidcls.cli import main
from vidcls.errors import DecodeError

class Fault(Callback):
    def __init__(self, rank: int, kind: str) -> None:
        self.rank, self.kind = rank, kind

    def on_train_batch_start(self, trainer, module, batch, number):
        if number != 1:
            return
        if trainer.global_rank != self.rank:
            time.sleep(10_000)  # as the library of a GPU waits for a process that is gone
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "DecodeError":
            raise DecodeError("a.mp4: planted")
        raise KeyError("planted")

# Lightning's own watch kills all without a word: it looks sooner than ours, in place of every five seconds.
subprocess_script._ChildProcessObserver.__init__.__defaults__ = (0.05,)

if __name__ == "__main__":
    sys.exit(main())
"""
SECONDS = 150  # for start and end, on a busy machine too


def ended(tiny: Path, folder: Path, *, rank: int, kind: str, num_processes: int) -> tuple[int, str]:
    """Exit status and messages of a training in which one process fails; over when all processes are gone."""
    program = folder / "fault.py"
    program.write_text(PROGRAM)
    words = ["fit", "--config", tiny, "--data.batch_size", 1, "--data.num_workers", 0]
    words += ["--trainer.callbacks+", f"{{class_path: fault.Fault, init_args: {{rank: {rank}, kind: {kind}}}}}"]
    words += ["--trainer.devices", num_processes, "--trainer.strategy", "ddp"]
    command = [sys.executable, str(program), *map(str, words)]
    job = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, messages = job.communicate(timeout=SECONDS)  # until the last process has let stderr go
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
    return job.returncode, messages


def test_where_a_started_process_is_killed_all_end_with_its_number(tiny: Path, tmp_path: Path) -> None:
    status, messages = ended(tiny, tmp_path, rank=1, kind="kill", num_processes=2)
    assert status == 1
    assert "vidcls: error: process 1 of 0 to 1 was killed by SIGKILL" in messages


@pytest.mark.slow
def test_where_the_first_process_is_killed_the_others_end_too(tiny: Path, tmp_path: Path) -> None:
    status, messages = ended(tiny, tmp_path, rank=0, kind="kill", num_processes=3)
    assert status == -signal.SIGKILL
    assert messages.count("ends too: the one that started it is gone") == 2


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("DecodeError", 2, "vidcls: error: a.mp4: planted"),
        ("KeyError", 1, "KeyError: 'planted'"),
    ],
)
def test_the_message_of_the_process_that_failed_is_seen(
    tiny: Path, tmp_path: Path, rank: int, kind: str, status: int, said: str
) -> None:
    found, messages = ended(tiny, tmp_path, rank=rank, kind=kind, num_processes=3)
    assert found == status
    assert said in messages
    assert messages.count("Traceback (most recent call last)") <= (0 if kind == "DecodeError" else 2)
    if rank == 2:
        assert f"process 2 of 0 to 2 ended with status {status}, as it says above" in messages.splitlines()[-1]
