"""Videos -> their features in a store, over several processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from tqdm import tqdm

from vidcls.artifacts.failures import FAILURES_NAME, write_failures
from vidcls.artifacts.remote_writers import writers_at
from vidcls.artifacts.writers import Writers
from vidcls.clips.settings import InputSettings
from vidcls.console import duration
from vidcls.errors import CheckpointError, ConfigurationError, FeatureError, MissingExtraError
from vidcls.features.encoding import (
    BATCH_FRAMES,
    Device,
    MakeEncoder,
    OtherWeightsError,
    UnwritableStoreError,
    VideoEncoder,
    forget_encoders,
)
from vidcls.features.report import Report
from vidcls.features.store import FeatureStore
from vidcls.files import FULL_DISK, printable
from vidcls.flow import FlowSource
from vidcls.flow.disk_space import megabytes
from vidcls.jobs import Outcome, Pool, is_here, reason_of
from vidcls.remote.places import Place
from vidcls.remote.whole_files import free_bytes_at, is_file
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord

_MARGIN = 1.02  # headers, and the last blocks of files
_NUM_TIMED_VIDEOS = 8
_OF_ALL = (
    OtherWeightsError,
    UnwritableStoreError,
    ConfigurationError,
    CheckpointError,
    MissingExtraError,
)  # no other video fares better


def compute_features(
    records: Sequence[VideoRecord],
    store: FeatureStore,
    make_encoder: MakeEncoder,
    settings: InputSettings,
    *,
    pool: Pool,
    flow_source: FlowSource | None = None,
    device: Device = "cpu",
    batch_frames: int = BATCH_FRAMES,
    tell: Callable[[str], None] = print,
    shard: Shard = WHOLE,
) -> Report:
    """Keep the features of all videos in a store; those that are there are not computed again.

    Nothing is built or started where none is missing. Failures do not stop the others; they are in the report and in
    ``failures.csv``, which is removed where there are none. The values are the same on any number of processes.

    Args:
        records: the videos; those of the shard alone.
        store: where they are kept.
        make_encoder: builds the network in each process; it can be pickled.
        settings: how a video becomes its views; those of the store's key.
        pool: where the work is done.
        flow_source: where stored flow lies, for a network on flow.
        device: where the network runs; values of a GPU differ by rounding from those of a CPU.
        batch_frames: frames that go to the device at once, at least those of a view.
        tell: takes a line of text for the user.
        shard: which one of those that together do the work.

    Raises:
        FeatureError: the disk lacks room, or the network is not the one of the store.
        DatasetError: the disk is full.
        FolderInUseError: another command, or the same shard, is writing to the folder of the key.
    """
    missing = store.missing_of(records)
    num_kept = len(records) - len(missing)
    if not missing:
        if is_file(store.folder / FAILURES_NAME):
            with writers_at(store.folder, shard) as writers:
                _note_failures(store, writers, records, [])
        return Report(num_kept=num_kept)
    if device == "cuda" and is_here(pool) and not torch.cuda.is_available():
        raise FeatureError("device cuda: PyTorch finds no CUDA GPU here: use cpu")
    _check_room(store, missing, len(records), tell)
    job = VideoEncoder(store, make_encoder, settings, flow_source, device, batch_frames)
    with store.writing(shard) as writers:
        try:
            work = over_videos(partial(keep_video, job), missing, pool, what="features", tell=tell, output=store.folder)
        finally:
            forget_encoders()
        _note_failures(store, writers, records, work.failures)
    return Report(
        num_done=len(work.results),
        num_kept=num_kept,
        num_bytes=sum(work.results),
        failures=sorted(work.failures),
    )


def keep_video(job: VideoEncoder, record: VideoRecord) -> int:
    """Compute the features of a video and keep them; returns the bytes of the file."""
    tokens = job.tokens(record)
    try:
        return job.store.write(record, tokens)
    except OSError as error:
        if error.errno in FULL_DISK:
            raise
        raise UnwritableStoreError(
            f"{error.filename or job.store.folder}: features cannot be kept there ({error.strerror}): name another "
            "folder for features"
        ) from error


@dataclass
class Work:
    """What came of a job over videos: results of those that it did, and reasons of those that failed."""

    results: list[int] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)


def over_videos(
    job: Callable[[VideoRecord], int],
    records: Sequence[VideoRecord],
    pool: Pool,
    *,
    what: str,
    tell: Callable[[str], None],
    output: Place | None = None,
) -> Work:
    """Do a job over videos with a progress bar; what ails the network ends it, what ails a video does not.

    Args:
        job: what to do with a video.
        records: the videos.
        pool: where the work is done.
        what: the name of the bar.
        tell: takes a line of text: after a few videos, how long all take.
        output: the folder that the job writes to, if any.
    """
    work = Work()
    seconds_between = 0.2 if sys.stderr.isatty() else 10  # a log file needs no moving picture
    first_seconds: float | None = None
    with tqdm(total=len(records), desc=what, unit=" videos", mininterval=seconds_between, dynamic_ncols=True) as bar:
        for outcome in pool.each(job, records, output=output):
            if outcome.result is not None:
                work.results.append(outcome.result)
            else:
                work.failures.append((outcome.record.name, _reason(outcome)))
                bar.set_postfix_str(f"{len(work.failures)} failed", refresh=False)
            bar.update()
            num_done = len(work.results) + len(work.failures)
            if first_seconds is None:
                first_seconds = time.monotonic()  # without the start of the processes
                bar.unpause()
            elif num_done == _NUM_TIMED_VIDEOS < len(records):
                per_second = (num_done - 1) / max(1e-6, time.monotonic() - first_seconds)
                with tqdm.external_write_mode():
                    left = duration((len(records) - num_done) / per_second)
                    tell(f"{what}: {per_second:.2g} videos/s, about {left} left")
    return work


def _reason(outcome: Outcome[int]) -> str:
    if isinstance(outcome.error, _OF_ALL):
        raise outcome.error
    return reason_of(outcome)


def _check_room(
    store: FeatureStore, missing: Sequence[VideoRecord], num_videos: int, tell: Callable[[str], None]
) -> None:
    num_bytes = store.key.num_bytes * len(missing)
    free_bytes = free_bytes_at(store.folder)
    free = "" if free_bytes is None else f", {megabytes(free_bytes)} free"
    tell(
        f"features of {len(missing)} of {num_videos} videos to compute: {megabytes(num_bytes)}{free} in {store.folder}"
    )
    if free_bytes is not None and num_bytes * _MARGIN > free_bytes:
        raise FeatureError(
            f"the features need {megabytes(num_bytes)} and the disk of {store.folder} has {megabytes(free_bytes)} "
            "free: make room, name another folder for features, or keep fewer levels, places or views"
        )


def _note_failures(
    store: FeatureStore, writers: Writers, records: Sequence[VideoRecord], failures: Sequence[tuple[str, str]]
) -> None:
    """Into ``failures.csv``, where what other shards and commands on other videos found stays."""
    with writers.merging():
        write_failures(store.folder, failures, done={printable(record.name) for record in records})
