"""Orders, a line of JSON each -> children that do a job of vidcls and say where they are, so that a test can kill them.

Run by ``conftest.py``. The imports are paid once: a child is a fork of this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

import faults
import marks


def training_job(words: list[str]) -> int:
    """A command of vidcls."""
    from vidcls.cli import main

    return main(words)


def shapes_job(words: list[str]) -> int:
    """The built-in data set, small, written to a folder."""
    from vidcls.datasets import MovingShapes
    from vidcls.errors import VidclsError

    try:
        MovingShapes(Path(words[0]), num_train=16, num_val=8, num_test=8, num_frames=4, size_px=32).prepare()
    except VidclsError as error:  # as the command line does
        print(f"vidcls: error: {error}")
        return 2
    return 0


def checkpoints_job(words: list[str]) -> int:
    """One checkpoint after the other under one name, each filled with its number."""
    from vidcls.callbacks.whole_checkpoints import WholeCheckpoints

    for number in range(int(words[1])):
        WholeCheckpoints().save_checkpoint({"filled": torch.full((64, 1024), number)}, words[0])
    return 0


def texts_job(words: list[str]) -> int:
    """One text after the other under one name, each of one letter."""
    from vidcls.files import write_text

    for number in range(int(words[1])):
        write_text(Path(words[0]), "abcdefgh"[number % 8] * 400_000)
    return 0


JOBS = {"vidcls": training_job, "shapes": shapes_job, "checkpoints": checkpoints_job, "texts": texts_job}


def be_child(order: dict) -> int:
    """Do one order in this process; returns the exit status."""
    os.setsid()
    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["vidcls", *order["words"]]
    marks.install(Path(order["board"]), Path(order["journal"]), in_process=order["in_process"])
    for name in order["faults"]:
        faults.PLANTED[name]()
    return JOBS[order["job"]](order["words"])


def serve() -> None:
    """Fork a child for each order; say its process id, and how it ended."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    print(json.dumps({"ready": True}), flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            status = 70
            try:
                status = be_child(json.loads(line))
            except BaseException:  # noqa: BLE001 - the child must not go on as a second server
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        print(json.dumps({"child": child}), flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(ProcessLookupError):  # workers that outlive their parent
            os.killpg(child, signal.SIGKILL)
        print(json.dumps({"status": status}), flush=True)
    os._exit(0)  # torch takes seconds to leave


if __name__ == "__main__":
    serve()
