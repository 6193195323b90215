"""Many epochs of a small data set: neither memory nor open files grow, in the training and in its loader's workers."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import resource
import statistics
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
import torch
from decoders import skip_if_missing
from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.clips.reader import ClipReader
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey, TrainClips
from vidcls.models import SingleFrame
from vidcls.transforms import TransformSettings
from vidcls.video import Backend, open_video, write_video

Tally = Callable[..., None]
Planted = Literal["memory", "files"]

NUM_EPOCHS, NUM_EPOCHS_FULL = 12, 50
ALLOWED_MIB = 1.5  # over half of the epochs; a reader that keeps one clip in two goes beyond it
PLANTED_BYTES = 96 * 1024  # that a leaking reader keeps of each of the 12 videos of an epoch


class Taken(NamedTuple):
    """What a process has at the end of an epoch, and how many files are open."""

    mebibytes: float
    num_files: int


def taken() -> Taken:
    """What this process has when all that can be given back was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with Path("/proc/self/statm").open() as file:
        pages = int(file.read().split()[1])
    return Taken(pages * resource.getpagesize() / 2**20, len(list(Path("/proc/self/fd").iterdir())))


class Log:
    """Appends what a process has to a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.epoch = 0

    def note(self, name: str) -> None:
        found = taken()
        with (self.folder / name).open("a") as file:
            file.write(f"{found.mebibytes} {found.num_files}\n")

    def read(self) -> dict[str, list[Taken]]:
        rows = {}
        for path in sorted(self.folder.iterdir()):
            words = [line.split() for line in path.read_text().splitlines()]
            rows[path.name] = [Taken(float(mebibytes), int(num_files)) for mebibytes, num_files in words]
        return rows


class NoteEpochs(Callback):
    def __init__(self, log: Log) -> None:
        self.log_file = log

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.log_file.note("training")


def train(dataset_root: Path, decoder: Backend, num_workers: int, num_epochs: int, log: Log) -> None:
    """A training whose workers, and which itself, note at each new epoch what they have."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sound = TrainClips.__getitem__

    def noted(clips: TrainClips, key: ClipKey) -> object:
        if num_workers > 0 and key.epoch != log.epoch:
            log.epoch = key.epoch
            log.note(f"worker {os.getpid()}")
        return sound(clips, key)

    TrainClips.__getitem__ = noted  # type: ignore[assignment]
    transform = TransformSettings(resize_px=32, crop_px=24, color_jitter=0.3)
    data = VideoDataModule(
        VideoFolder(dataset_root),
        clip_len=2,
        transform=transform,
        batch_size=4,
        num_workers=num_workers,
        decoder=decoder,
    )
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = Trainer(
        max_epochs=num_epochs,
        callbacks=NoteEpochs(log),
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(model, data)


def plant(kind: Planted) -> None:
    """Make every reader keep something of each video."""
    sound, kept = ClipReader.train_clips, []

    def leaking(reader: ClipReader, record: object, *given: object) -> object:
        kept.append(os.urandom(PLANTED_BYTES) if kind == "memory" else Path(os.devnull).open())  # noqa: SIM115
        return sound(reader, record, *given)  # type: ignore[arg-type]

    ClipReader.train_clips = leaking  # type: ignore[assignment]


def growth_of(rows: Sequence[Taken]) -> Taken:
    """From the second quarter to the last, each as its median: what libraries set up once lies before."""
    quarter = len(rows) // 4
    early, late = rows[quarter : 2 * quarter], rows[-quarter:]
    return Taken(
        statistics.median(row.mebibytes for row in late) - statistics.median(row.mebibytes for row in early),
        late[-1].num_files - early[0].num_files,
    )


def grown(rows: Sequence[Taken]) -> list[str]:
    """What grew beyond what is allowed."""
    growth = growth_of(rows)
    found = [f"{growth.mebibytes:.2f} MiB"] if growth.mebibytes > ALLOWED_MIB else []
    return found + ([f"{growth.num_files} open files"] if growth.num_files > 0 else [])


def job(
    end: Connection,
    root: Path,
    decoder: Backend,
    num_workers: int,
    num_epochs: int,
    folder: Path,
    planted: Planted | None,
) -> None:
    """What that process does."""
    multiprocessing.set_start_method("fork", force=True)  # for the workers of its loader, as in any training
    gc.freeze()  # what was loaded before is not looked through each time
    if planted is not None:
        plant(planted)
    train(root, decoder, num_workers, num_epochs, Log(folder))
    end.send("done")


def run(
    root: Path, decoder: Backend, num_workers: int, num_epochs: int, folder: Path, planted: Planted | None = None
) -> dict[str, list[Taken]]:
    """The notes of a training in a process of its own."""
    folder.mkdir()
    context = multiprocessing.get_context(
        "forkserver"
    )  # a fork of this one has its state of autograd, and cannot train
    here, there = context.Pipe()
    process = context.Process(target=job, args=(there, root, decoder, num_workers, num_epochs, folder, planted))
    process.start()
    there.close()
    assert here.recv() == "done"
    process.join()
    return Log(folder).read()


@pytest.fixture(scope="module")
def jpeg_folder(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clips as files of JPEG pictures."""
    root = tmp_path_factory.mktemp("jpeg")
    for path in clip_folder.rglob("*.avi"):
        with open_video(path, "pyav") as video:
            target = (root / path.relative_to(clip_folder)).with_suffix(".jpeg.avi")
            write_video(target, video.frames(range(video.num_frames)), codec="mjpeg")
    return root


@pytest.mark.parametrize("decoder", ["decord", "torchcodec", "pyav", "jpeg"])
def test_nothing_grows_from_epoch_to_epoch(
    decoder: Backend, clip_folder: Path, jpeg_folder: Path, tmp_path: Path, is_full: bool, tally: Tally
) -> None:
    skip_if_missing(decoder)
    root = jpeg_folder if decoder == "jpeg" else clip_folder
    num_epochs = NUM_EPOCHS_FULL if is_full else NUM_EPOCHS
    found = {}
    for num_workers in (0, 2) if is_full else (2,):
        notes = run(root, decoder, num_workers, num_epochs, tmp_path / str(num_workers))
        assert len(notes) == 1 + num_workers
        for name, rows in notes.items():
            assert len(rows) >= num_epochs // 2
            found[f"{num_workers} workers, {name}"] = growth_of(rows)
            assert grown(rows) == [], f"{name} with {num_workers} workers: {rows}"
    most = max(growth.mebibytes for growth in found.values())
    tally(f"epoch with {decoder}", recovered=num_epochs * len(found), lost=0, note=f"at most {most:+.2f} MiB")


@pytest.mark.parametrize(("planted", "said", "num_workers"), [("memory", "MiB", 2), ("files", "open files", 0)])
def test_a_reader_that_keeps_something_is_found(
    planted: Planted, said: str, num_workers: int, clip_folder: Path, tmp_path: Path
) -> None:
    notes = run(clip_folder, "pyav", num_workers, NUM_EPOCHS, tmp_path / "notes", planted)
    leaking = [rows for name, rows in notes.items() if name != "training" or num_workers == 0]
    assert len(leaking) == max(1, num_workers)
    assert all(any(said in words for words in grown(rows)) for rows in leaking)
