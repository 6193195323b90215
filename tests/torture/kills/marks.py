"""A child that works -> where it is, on a board that outlives it, and what it did, in a journal of whole lines."""

from __future__ import annotations

import contextlib
import functools
import json
import mmap
import os
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

BOARD_BYTES = 64  # 8 of a count of all changes, then the name of the place
_board: mmap.mmap | None = None
_journal = -1
_count = 0
_place = "between"


def install(board: Path, journal: Path, *, in_process: bool) -> None:
    """Show from now on where this process is; workers forked later are silent."""
    global _board, _journal
    with board.open("r+b") as file:
        _board = mmap.mmap(file.fileno(), BOARD_BYTES)
    _journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.register_at_fork(after_in_child=_be_silent)
    _mark_system_calls()
    _mark_training()
    _mark_writers()
    if in_process:
        _work_in_process()


def note(**fact: object) -> None:
    """A line into the journal, whole or not at all."""
    if _journal >= 0:
        os.write(_journal, (json.dumps(fact) + "\n").encode())


@contextlib.contextmanager
def at(place: str) -> Iterator[None]:
    """While the block runs, the board shows this place; the innermost block wins."""
    before = _place
    _show(place)
    try:
        yield
    finally:
        _show(before)


def _show(place: str) -> None:
    global _count, _place
    _place = place
    if _board is not None:
        _count += 1
        _board[:32] = struct.pack("q24s", _count, place.encode())


def _be_silent() -> None:
    global _board, _journal
    _board, _journal = None, -1


def marked(place: str, function: Callable) -> Callable:
    """The function, shown on the board while it runs."""

    @functools.wraps(function)
    def run(*args: object, **kwargs: object) -> object:
        with at(place):
            return function(*args, **kwargs)

    return run


def _mark_system_calls() -> None:
    """Flushing and renaming, with the files: what a power cut leaves depends on their order."""
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def marked_fsync(file: int) -> None:
        with at("fsync"):
            fsync(file)
        note(fsync=str(Path(f"/proc/self/fd/{file}").readlink()))

    def renaming(function: Callable) -> Callable:
        def run(source: object, target: object, **kwargs: object) -> None:
            note(rename=[str(Path.cwd() / os.fspath(path)) for path in (source, target)])
            with at("rename"):
                function(source, target, **kwargs)

        return run

    os.fsync, os.replace, os.rename = marked_fsync, renaming(replace), renaming(rename)
    copy = shutil.copyfile

    def marked_copy(source: object, target: object, **kwargs: object) -> object:
        note(copy=[os.fspath(source), os.fspath(target)])
        return copy(source, target, **kwargs)

    shutil.copyfile = marked_copy


def _mark_training() -> None:
    """Steps, with the clips in them and a digest of their pixels; validations; checkpoints."""
    from lightning.pytorch import LightningModule, Trainer

    from vidcls.models import VideoClassifier

    step = VideoClassifier.training_step

    def noted_step(self: VideoClassifier, batch: dict, *args: object) -> object:
        pixels = sum(float(batch[name].double().sum()) for name in ("rgb", "flow") if name in batch)
        note(step=self.trainer.global_step, epoch=self.current_epoch, clips=batch["index"].tolist(), pixels=pixels)
        return step(self, batch, *args)

    VideoClassifier.training_step = noted_step
    VideoClassifier.validation_step = marked("validation", VideoClassifier.validation_step)
    LightningModule.optimizer_step = marked("step", LightningModule.optimizer_step)
    Trainer.save_checkpoint = marked("checkpoint", Trainer.save_checkpoint)


def _mark_writers() -> None:
    """Whatever writes a file."""
    from vidcls.copies.prepared_folder import PreparedFolder
    from vidcls.datasets import written_folder
    from vidcls.files import atomic_write
    from vidcls.flow.manifest import Manifest
    from vidcls.flow.store_writer import FlowStoreWriter

    @contextlib.contextmanager
    def marked_whole(path: Path) -> Iterator[Path]:
        with at("write"), atomic_write(path) as temporary:
            yield temporary

    replace_everywhere("atomic_write", marked_whole)
    for owner, name in (
        (FlowStoreWriter, "write"),
        (Manifest, "write"),
        (PreparedFolder, "finish"),
        (written_folder, "_put_in_place"),
        (written_folder, "_digests"),
    ):
        setattr(owner, name, marked("write", getattr(owner, name)))


def replace_everywhere(name: str, function: Callable) -> None:
    """Give a function of vidcls another body, in all modules that have imported it."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("vidcls") and hasattr(module, name):
            setattr(module, name, function)


def _work_in_process() -> None:
    """No worker processes for flow and copies: a kill then ends all work at once, and starting costs nothing."""
    from vidcls.jobs import InThisProcess, LocalProcesses

    def here(self: LocalProcesses, job: Callable, records: list, **_: object) -> Iterator:
        return InThisProcess().each(job, records)

    LocalProcesses.each = here
