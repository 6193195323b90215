"""Faults planted in a child, to see that a harness finds them: none of them is in the package."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import marks


def writes_in_place() -> None:
    """Files are written under their final name."""

    @contextlib.contextmanager
    def in_place(path: Path) -> Iterator[Path]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with marks.at("write"):
            yield path

    marks.replace_everywhere("atomic_write", in_place)


def never_flushes() -> None:
    """Nothing is on the disk before its name changes."""
    os.fsync = lambda _: None


def skips_a_batch() -> None:
    """A resumed training starts one batch too late."""
    from vidcls.loading.train_loader import TrainLoader

    load = TrainLoader.load_state_dict

    def one_further(self: TrainLoader, state: dict) -> None:
        further = min(state["num_batches"] + 1, state["num_batches_of_epoch"] - 1)
        load(self, state | {"num_batches": max(state["num_batches"], further)})

    TrainLoader.load_state_dict = one_further


def starts_random_numbers_anew() -> None:
    """Dropout of a resumed training counts the batches from its own start."""
    from vidcls.models import VideoClassifier

    start, first = VideoClassifier.on_train_batch_start, []

    def on_start(self: VideoClassifier, batch: object, batch_idx: int) -> object:
        first.append(batch_idx)
        return start(self, batch, batch_idx - first[0])

    VideoClassifier.on_train_batch_start = on_start


def never_cleans_up() -> None:
    """What kills left behind stays."""
    rglob = Path.rglob
    marks.replace_everywhere("remove_leftovers", lambda _: None)
    Path.rglob = lambda path, pattern: iter(()) if pattern == ".*.avi" else rglob(path, pattern)


def takes_any_flow_for_whole() -> None:
    """A flow file has its name before its content, and what lies there is done."""
    from vidcls.flow import store_writer
    from vidcls.types import VideoRecord

    writer = store_writer.FlowStoreWriter
    write = writer.write

    def is_current(self: store_writer.FlowStoreWriter, record: VideoRecord) -> bool:
        return self.store.path_of(record).is_file()

    def in_place(self: store_writer.FlowStoreWriter, record: VideoRecord, fields: object, **size: int) -> object:
        path = self.store.path_of(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return write(self, record, fields, **size)

    writer.is_current, writer.write = is_current, in_place


def takes_any_folder_for_whole() -> None:
    """A folder with a manifest in it counts as whole, and is written in place."""
    from vidcls.datasets import moving_shapes, written_folder

    def write(folder: Path, fill: Callable[[Path], None]) -> bool:
        if folder.is_dir():
            return False
        folder.mkdir(parents=True)
        with marks.at("write"):
            fill(folder)
            (folder / written_folder.MANIFEST).write_text("{}")
        return True

    moving_shapes.write_once = write


def full_disk() -> None:
    """No file of this process can grow beyond a size, as on a disk without room: the system says so in each write."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = int(os.environ["FULL_DISK_BYTES"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


PLANTED = {
    function.__name__: function
    for function in (
        writes_in_place,
        never_flushes,
        skips_a_batch,
        starts_random_numbers_anew,
        never_cleans_up,
        takes_any_flow_for_whole,
        takes_any_folder_for_whole,
        full_disk,
    )
}
