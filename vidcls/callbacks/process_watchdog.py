"""Several processes of one training: where one ends badly, all end soon, and the last line says which it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from subprocess import Popen
from typing import Protocol

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.stop_at_batch import was_stopped

POLL_SECONDS = 0.5
GRACE_SECONDS = 20.0  # for tidying up after an error, which may wait for processes that are gone
# What gloo and NCCL say where another process is gone: the consequence of an error, not an error of this process.
LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL", "ncclRemoteError", "gloo")


class Launcher(Protocol):
    """Lightning's launcher of the other processes of this machine."""

    procs: list[Popen[bytes]]


class ProcessWatchdog(Callback):
    """Ends all processes of a machine within seconds after one of them died or raised an error.

    Without it they wait for the missing one, half an hour or for good. The first process watches those that it
    started, and they watch it; Lightning's own watch, which kills the first process too before a word is said, has
    nothing to look at any more. Under torchrun or SLURM these do the same, and this does nothing.
    """

    def __init__(self) -> None:
        self._watch: threading.Thread | None = None
        self._ends_itself = threading.Event()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Begin to watch, in a thread that ends with the process."""
        if self._watch is not None or not _was_started_by_lightning(trainer):
            return
        if trainer.local_rank > 0:
            self._watch = threading.Thread(target=_follow, args=(os.getppid(),), daemon=True)
        else:
            self._watch = threading.Thread(target=_lead, args=(_taken_over(trainer), self._ends_itself), daemon=True)
        self._watch.start()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Let the process that failed speak first, and see to it that this one ends."""
        if self._watch is None:
            return
        is_asked = was_stopped(trainer, exception)
        if _lost_a_peer(exception) and not is_asked:
            time.sleep(GRACE_SECONDS / 2)  # whoever watches ends this process before that
        self._ends_itself.set()
        for process in _started(trainer):
            process.kill()
        if is_asked:
            return  # what is tidied up may be uploaded, which takes its time
        end = threading.Timer(GRACE_SECONDS, os._exit, (1,))
        end.daemon = True
        end.start()


def _was_started_by_lightning(trainer: Trainer) -> bool:
    return trainer.world_size > 1 and hasattr(trainer.strategy.launcher, "procs")


def _started(trainer: Trainer) -> Sequence[Popen[bytes]]:
    launcher: Launcher = trainer.strategy.launcher  # type: ignore[assignment]
    return launcher.procs


def _taken_over(trainer: Trainer) -> Sequence[Popen[bytes]]:
    """The processes that were started; the list that Lightning's watch shares with its launcher is empty then."""
    launcher: Launcher = trainer.strategy.launcher  # type: ignore[assignment]
    shared, launcher.procs = launcher.procs, [*launcher.procs]
    shared.clear()
    return launcher.procs


def _follow(parent: int) -> None:
    """End this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    _end(f"process {os.environ.get('LOCAL_RANK', '?')} ends too: the one that started it is gone", 1)


def _lead(processes: Sequence[Popen[bytes]], ends_itself: threading.Event) -> None:
    """End all processes when one of those that this one started ended badly, but where this one is ending them."""
    while not ends_itself.wait(POLL_SECONDS):
        codes = [process.poll() for process in processes]
        for rank, code in enumerate(codes, start=1):
            if code and not ends_itself.is_set():
                for process in processes:
                    process.kill()
                how = f"was killed by {_signal(-code)}" if code < 0 else f"ended with status {code}, as it says above"
                _end(f"process {rank} of 0 to {len(codes)} {how}; the others were ended", max(code, 1))
        if all(code == 0 for code in codes):
            return


def _end(message: str, status: int) -> None:
    """End at once: the main thread may wait in a library for what never comes."""
    print(f"vidcls: error: {message}", file=sys.stderr, flush=True)
    os._exit(status)


def _signal(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


def _lost_a_peer(exception: BaseException) -> bool:
    return isinstance(exception, RuntimeError) and any(word in str(exception) for word in LOST_PEER)
