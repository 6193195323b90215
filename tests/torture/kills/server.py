"""Requests on stdin, a line of JSON each -> commands in forked children, killed at the moment asked for.

All is imported once, so that a child costs a fork and not seven seconds. The child notes in shared memory what it is
in the middle of; after the kill the note is still there, and says where it fell.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from lightning.pytorch import LightningModule

import vidcls.callbacks.checkpoint_file
import vidcls.cli.training
import vidcls.files
from vidcls.cli import main
from vidcls.data.preparation import prepare
from vidcls.data.prepared_folder import PrepareSettings
from vidcls.data.train_loader import TrainLoader
from vidcls.datasets import MovingShapes, VideoFolder
from vidcls.errors import VidclsError
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import precompute
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.models import VideoClassifier

PHASES = ("between", "step", "write")
BOARD = struct.Struct("<4q")  # the phase now, and how often each was entered
POLL_SECONDS = 0.0002


class Board:
    """What the child is in the middle of, in memory that outlives it."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, BOARD.size)

    def read(self) -> tuple[int, list[int]]:
        phase, *counts = BOARD.unpack(self.memory[: BOARD.size])
        return phase, counts

    def clear(self) -> None:
        self.memory[: BOARD.size] = bytes(BOARD.size)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        before, counts = self.read()
        number = PHASES.index(name)
        counts[number] += 1
        self.memory[: BOARD.size] = BOARD.pack(number, *counts)
        try:
            yield
        finally:
            self.memory[: BOARD.size] = BOARD.pack(before, *self.read()[1])


def in_modules(old: object, new: object) -> None:
    """Put ``new`` in the place of ``old`` wherever a module of the package has imported it."""
    for module in [module for name, module in sys.modules.items() if name.startswith("vidcls")]:
        for name, value in list(vars(module).items()):
            if value is old:
                setattr(module, name, new)


def watch(board: Board, order: Path | None) -> None:
    """Let the code note its phase, and every training batch its number and clips."""
    whole, step, flow = vidcls.files.written_whole, LightningModule.optimizer_step, FlowStoreWriter.write
    training_step = VideoClassifier.training_step

    @contextmanager
    def noted_whole(path: Path) -> Iterator[Path]:
        with board.phase("write"), whole(path) as temporary:
            yield temporary

    def noted_step(self: LightningModule, *arguments: object, **settings: object) -> None:
        with board.phase("step"):
            step(self, *arguments, **settings)  # type: ignore[arg-type]

    def noted_flow(self: FlowStoreWriter, *arguments: object, **settings: object) -> object:
        with board.phase("write"):
            return flow(self, *arguments, **settings)  # type: ignore[arg-type]

    def noted_batch(self: VideoClassifier, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if order is not None:
            line = json.dumps([self.current_epoch, batch_idx, batch["index"].tolist()])
            with order.open("a") as file:
                file.write(line + "\n")
        return training_step(self, batch, batch_idx)  # type: ignore[arg-type]

    in_modules(whole, noted_whole)
    LightningModule.optimizer_step = noted_step  # type: ignore[method-assign,assignment]
    FlowStoreWriter.write = noted_flow  # type: ignore[method-assign,assignment]
    VideoClassifier.training_step = noted_batch  # type: ignore[method-assign,assignment]


class WithoutSync:
    """The module ``os``, but nothing is brought to the disk."""

    def __getattr__(self, name: str) -> object:
        return (lambda _: None) if name == "fsync" else getattr(os, name)


def plant(fault: str) -> None:
    """Break the code of this child on purpose."""
    if fault == "no atomic rename":

        @contextmanager
        def in_place(path: Path) -> Iterator[Path]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            time.sleep(0.02)  # a slow disk
            yield path

        in_modules(vidcls.files.written_whole, in_place)
    elif fault == "no fsync":
        vidcls.files.os = WithoutSync()  # type: ignore[assignment,attr-defined]
    elif fault == "a skipped batch":
        load = TrainLoader.load_state_dict

        def skipping(self: TrainLoader, state: dict[str, int]) -> None:
            load(self, state | {"num_batches": state["num_batches"] + 1})

        TrainLoader.load_state_dict = skipping  # type: ignore[method-assign]
    elif fault == "another seed after a resume":
        VideoClassifier.on_train_batch_start = lambda self, batch, batch_idx: None  # type: ignore[assignment,method-assign]
    elif fault.startswith("no room after "):
        left = [int(fault.rpartition(" ")[2])]
        fsync = os.fsync

        def full(descriptor: int) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, "No space left on device")
            fsync(descriptor)

        os.fsync = full
    elif fault.startswith("files of at most "):
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = int(fault.rpartition(" ")[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    else:
        raise ValueError(fault)


def trace_syncs(log: Path) -> None:
    """Note every file that was brought to the disk, and every one that took the name of another."""
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def note(word: str, *what: object) -> None:
        with log.open("a") as file:
            file.write(json.dumps([word, *what]) + "\n")

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        note("fsync", os.fstat(descriptor).st_ino)

    def noted(change: Callable[..., None]) -> Callable[..., None]:
        def moved(source: str, target: str, **settings: object) -> None:
            note("replace", Path(source).stat().st_ino, os.fspath(target), Path(source).is_dir())
            change(source, target, **settings)

        return moved

    os.fsync, os.replace, os.rename = noted_fsync, noted(replace), noted(rename)


def write_flow(clips: Path, output: Path) -> None:
    """As ``vidcls flow`` does, without a process of its own for the work, so that the kill hits it."""
    precompute(VideoFolder(clips).records, output, FlowSettings("farneback"), num_workers=0)


def write_copy(clips: Path, output: Path) -> None:
    """As ``vidcls data prepare`` does, likewise."""
    prepare(VideoFolder(clips).records, output, PrepareSettings(short_side_px=24), num_workers=0)


def write_shapes(_clips: Path, output: Path) -> None:
    MovingShapes(output, num_train=16, num_val=8, num_test=8, num_frames=4, size_px=32).prepare()


WRITERS: dict[str, Callable[[Path, Path], None]] = {
    "flow here": write_flow,
    "copy here": write_copy,
    "shapes here": write_shapes,
}


def run_child(board: Board, request: dict[str, object]) -> int:
    """What the child does; returns its status."""
    os.setsid()
    os.chdir(str(request["folder"]))
    log = os.open(str(request["log"]), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    for fault in request.get("plant", []):  # type: ignore[attr-defined]
        plant(fault)
    watch(board, Path(str(request["order"])) if request.get("order") else None)
    if request.get("syncs"):
        trace_syncs(Path(str(request["syncs"])))
    words: list[str] = request["words"]  # type: ignore[assignment]
    if words[0] not in WRITERS:
        return main(words)
    try:
        WRITERS[words[0]](*map(Path, words[1:]))
    except VidclsError as error:
        print(f"vidcls: error: {error}", file=sys.stderr)
        return 2
    return 0


def serve_one(board: Board, request: dict[str, object]) -> dict[str, object]:
    """Run it, kill it where asked for; says how it ended and what it was in the middle of."""
    board.clear()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = run_child(board, request)
        except BaseException:  # noqa: BLE001 - a child of a fork must not run on as a second server
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    started, aim = time.monotonic(), request.get("aim")
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        phase, counts = board.read()
        if done:
            return {"killed": False, "status": os.waitstatus_to_exitcode(status), "counts": counts}
        if aim is not None:
            name, number, delay = aim  # type: ignore[misc]
            reached = time.monotonic() - started >= number if name == "time" else counts[PHASES.index(name)] >= number
            if reached:
                time.sleep(delay)
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                phase, counts = board.read()
                ended = os.waitstatus_to_exitcode(status)
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
                return {"killed": ended == -9, "status": ended, "phase": PHASES[phase], "counts": counts}
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    torch.set_num_threads(1)
    the_board = Board()
    for request_line in sys.stdin:
        print(json.dumps(serve_one(the_board, json.loads(request_line))), flush=True)
