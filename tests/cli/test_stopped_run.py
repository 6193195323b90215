"""A training that a signal ends: its status says so, one line says how it goes on, and nothing is left running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Command = Callable[..., object]
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    pytest.mark.usefixtures("hang_up_ends"),
]
SECONDS = 300  # for start and end, on a busy machine too

SIGNALLING = """
import os, signal
from pathlib import Path
from lightning.pytorch import Callback

class Signal(Callback):
    '''Sends signals to this process, or says that it is ready for them, at a batch.'''

    def __init__(self, numbers: list[int], moment: str = "train", ready: str = "") -> None:
        self.numbers, self.moment, self.ready = numbers, moment, ready

    def send(self, trainer, moment):
        if moment != self.moment or trainer.sanity_checking or trainer.current_epoch == 0:
            return
        for number in self.numbers:
            os.kill(os.getpid(), number)
        if self.ready:
            Path(f"{self.ready}{trainer.global_rank}").touch()

    def on_train_batch_start(self, trainer, *_):
        self.send(trainer, "train")

    def on_validation_batch_start(self, trainer, *_):
        self.send(trainer, "validation")
"""


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def signalling(tmp_path: Path) -> Callable[..., list[str]]:
    (tmp_path / "signalling.py").write_text(SIGNALLING)

    def options(*numbers: int, moment: str = "train", ready: str = "") -> list[str]:
        arguments = f"{{numbers: {[int(n) for n in numbers]}, moment: {moment}, ready: '{ready}'}}"
        return ["--trainer.callbacks+", f"{{class_path: signalling.Signal, init_args: {arguments}}}"]

    return options


@pytest.mark.parametrize(
    ("numbers", "moment", "status"),
    [
        ([signal.SIGTERM, signal.SIGTERM], "train", 143),
        ([signal.SIGHUP], "validation", 129),
        ([signal.SIGINT, signal.SIGINT], "train", 130),
    ],
)
def test_a_training_that_a_signal_ends_says_how_it_goes_on(
    vidcls: Command, tiny: Path, signalling: Callable[..., list[str]], numbers: list[int], moment: str, status: int
) -> None:
    stopped = vidcls("fit", "--config", tiny, "--run", "mine", *signalling(*numbers, moment=moment))
    assert stopped.status == status
    assert stopped.out.splitlines()[-1] == (
        "stopped: mine: vidcls fit --run mine --ckpt_path last --allow-class signalling goes on from the start of "
        "epoch 2 (--save_every_n_steps N also saves within epochs)"
    )
    assert "Traceback" not in stopped.err
    resumed = vidcls("fit", "--config", tiny, "--run", "mine", "--ckpt_path", "last")
    assert resumed.status == 0
    assert "trained: " in resumed.out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_that_a_signal_ends_in_its_first_epoch_says_that_nothing_was_saved(
    vidcls: Command, tiny: Path, tmp_path: Path, number: int, status: int
) -> None:
    (tmp_path / f"early_{int(number)}.py").write_text(
        "import os\nfrom lightning.pytorch import Callback\n\nclass Early(Callback):\n"
        f"    def on_train_batch_start(self, *_):\n        os.kill(os.getpid(), {int(number)})\n"
    )
    stopped = vidcls("fit", "--config", tiny, "--run", "mine", "--trainer.callbacks+", f"early_{int(number)}.Early")
    assert stopped.status == status
    assert stopped.out.splitlines()[-1] == (
        "stopped: mine: no checkpoint was saved, since the first epoch had not ended "
        "(--save_every_n_steps N also saves within epochs)"
    )
    assert "Traceback" not in stopped.err


def test_what_fails_after_the_signal_is_not_what_ended_the_training(
    vidcls: Command, tiny: Path, tmp_path: Path
) -> None:
    """Such as an exchange with a process that the same signal has ended."""
    (tmp_path / "failing.py").write_text(
        "import os, signal\nfrom lightning.pytorch import Callback\n\nclass Failing(Callback):\n"
        "    def on_train_batch_start(self, trainer, *_):\n        if trainer.current_epoch:\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "            raise RuntimeError('Connection closed by peer')\n"
    )
    stopped = vidcls("fit", "--config", tiny, "--run", "mine", "--trainer.callbacks+", "failing.Failing")
    assert stopped.status == 143
    assert stopped.out.splitlines()[-1].startswith("stopped: mine: vidcls fit --run mine")
    assert "Connection" not in stopped.err


def test_a_test_that_a_signal_ends_writes_nothing(vidcls: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text(
        "import os, signal\nfrom lightning.pytorch import Callback\n\nclass Ending(Callback):\n"
        "    def on_test_batch_start(self, *_):\n        os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    before = {path.name for path in run.iterdir()}
    assert vidcls("test", "--run", run, "--trainer.callbacks+", "ending.Ending").status == 143
    assert {path.name for path in run.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("to_all", [True, False])
def test_two_processes_with_loader_workers_end_together(
    tiny: Path, tmp_path: Path, signalling: Callable[..., list[str]], number: int, status: int, to_all: bool
) -> None:
    words = ["fit", "--config", tiny, "--run", "mine", "--trainer.max_epochs", 1000, "--data.batch_size", 2]
    words += ["--trainer.devices", 2, "--trainer.strategy", "ddp", "--data.num_workers", 1]
    program = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from vidcls.cli import entry\nif __name__ == '__main__':\n    entry()\n"
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, str(tmp_path / "program.py"), *map(str, words), *signalling(ready="ready")]
    with (tmp_path / "said").open("w") as said:
        job = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said, start_new_session=True)
        try:
            while not all((tmp_path / f"ready{rank}").exists() for rank in (0, 1)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    job.wait(0.1)
                    raise AssertionError((tmp_path / "said").read_text())
            for _ in range(2):
                if to_all:
                    os.killpg(job.pid, number)
                else:
                    job.send_signal(number)
            assert job.wait(SECONDS) == status
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
    lines = (tmp_path / "said").read_text().splitlines()
    go_on = "stopped: mine: vidcls fit --run mine --ckpt_path last --allow-class signalling goes on"
    assert any(line.startswith(go_on) for line in lines)
    assert not any("Traceback" in line or "error" in line for line in lines)
