"""A planned run -> the commands that are still to be done for it, and a run folder with their results and logs.

::

    nothing there          fit                               test
    interrupted            fit --run F --ckpt_path last      test
    trained                                                  test
    tested                 (nothing)
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.compare.plan import PlannedRun
from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.folder_lock import FolderLock
from vidcls.remote.permission import words_of_permission
from vidcls.runs.folder import (
    CHECKPOINTS,
    COMPARISON_FILE,
    FIRST_FILES,
    LAST,
    RUN_FILE,
    VALIDATION_FACTS_FILE,
    VALIDATION_FILE,
    CheckpointName,
    checkpoint_in,
    log_name,
)
from vidcls.runs.summary import tested_checkpoint
from vidcls.settings_file import read_json
from vidcls.trusted_classes import OPTION, allowed_classes

Execute = Callable[[Sequence[str], Path], int]
"""Runs ``vidcls`` with these words, what it says goes into the file; gives its exit status."""

LEFT_BY_A_START = (
    *FIRST_FILES,
    COMPARISON_FILE,
    CHECKPOINTS,
    RUN_FILE,
    VALIDATION_FACTS_FILE,
    VALIDATION_FILE,
    log_name("fit"),
    log_name("test"),
    "wandb",
)
INTERRUPTED = 130


@dataclass(frozen=True)
class Step:
    """One command of a run.

    Args:
        title: what it does, for the progress line.
        command: the words behind ``vidcls``.
    """

    title: str
    command: tuple[str, ...]

    @property
    def is_training(self) -> bool:
        """Whether its time counts as training."""
        return self.command[0] == "fit"


@dataclass(frozen=True)
class Record:
    """What a comparison notes about the training of a run.

    Args:
        is_trained: whether it came to its end.
        train_seconds: wall time of ``vidcls fit``, its start and all its resumptions included.
    """

    is_trained: bool = False
    train_seconds: float = 0.0


def steps(run: PlannedRun, checkpoint: CheckpointName) -> list[Step]:
    """What is still to be done.

    Raises:
        ConfigurationError: the folder has other things in it than a training that was stopped early.
    """
    test = Step("test", ("test", "--run", str(run.folder), "--ckpt_path", checkpoint))
    if tested_checkpoint(run.folder) == checkpoint:
        return []
    if not checkpoint_in(run.folder, LAST).is_file():
        _check_nothing_is_lost(run.folder)
        return [Step("train", ("fit", *run.arguments)), test]
    if read_record(run.folder).is_trained:
        return [test]
    return [Step("go on training", ("fit", "--run", str(run.folder), "--ckpt_path", "last")), test]


def take(step: Step, run: PlannedRun, execute: Execute) -> str | None:
    """Do one step; gives the last line of what went wrong, None where nothing did.

    Raises:
        KeyboardInterrupt: the user stopped it.
    """
    if step.is_training and not checkpoint_in(run.folder, LAST).is_file() and run.folder.is_dir():
        with FolderLock(run.folder):  # another command may be training there
            _check_nothing_is_lost(run.folder)
            shutil.rmtree(run.folder)  # stopped before the first checkpoint
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    log = run.folder.with_name(f"{run.folder.name}.{log_name(step.command[0])}")  # a new run wants its folder empty
    started, status = time.monotonic(), INTERRUPTED
    try:
        status = execute(step.command, log)
    finally:
        error = None if status == 0 else last_error(log, status)
        if run.folder.is_dir():
            if step.is_training:
                _add(run.folder, seconds=time.monotonic() - started, is_trained=status == 0)
            _move_log(log, run.folder / log_name(step.command[0]))
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    return error


def execute_command(words: Sequence[str], log: Path) -> int:
    """Run ``vidcls`` in a process of its own; after Ctrl+C it is given the time to write its checkpoint."""
    allowed = [f"{OPTION}={prefix}" for prefix in allowed_classes()]
    allowed += words_of_permission()
    program = [sys.executable, "-P", "-c", "from vidcls.cli import entry; entry()", *words, *allowed]
    with log.open("wb") as file, subprocess.Popen(program, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal has sent it to the command too
            process.wait()
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def read_record(folder: Path) -> Record:
    """What an earlier comparison noted; an empty one for a run that was made by hand."""
    try:
        return Record(**read_json(folder / COMPARISON_FILE))
    except FileNotFoundError:
        return Record()


def _add(folder: Path, *, seconds: float, is_trained: bool) -> None:
    record = Record(is_trained, round(read_record(folder).train_seconds + seconds, 1))
    write_text(folder / COMPARISON_FILE, json.dumps(asdict(record)) + "\n")


def _check_nothing_is_lost(folder: Path) -> None:
    foreign = sorted(path.name for path in folder.glob("*") if path.name not in LEFT_BY_A_START)
    foreign = [name for name in foreign if not name.startswith(".")]
    if foreign:
        raise ConfigurationError(
            f"{folder}: has no checkpoint to go on from, but holds {foreign[0]}: move it away, or name a new --output"
        )


def _move_log(log: Path, target: Path) -> None:
    """What a command said, behind what earlier attempts said."""
    if log.is_file():
        before = target.read_text(encoding="utf-8", errors="replace") if target.is_file() else ""
        write_text(target, before + log.read_text(encoding="utf-8", errors="replace"))
        log.unlink()


def last_error(log: Path, status: int) -> str:
    """What a command that ended with this status said last, by the file of what it printed."""
    if status < 0:
        return f"ended by signal {-status}" + (" (out of memory?)" if status == -signal.SIGKILL else "")
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("vidcls: error: ")]
    return (own or lines or [f"exit status {status}"])[-1].removeprefix("vidcls: error: ")
