"""Videos -> a flow store, over several processes; and a flow store -> what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from tqdm import tqdm

from vidcls.artifacts.failures import FAILURES_NAME as FAILURES_NAME
from vidcls.artifacts.failures import write_failures
from vidcls.artifacts.remote_writers import writers_at
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import FlowError
from vidcls.files import printable
from vidcls.flow.codec import dequantize
from vidcls.flow.disk_space import SpaceEstimate, estimate_space, megabytes
from vidcls.flow.estimators import estimate_by
from vidcls.flow.manifest import Manifest
from vidcls.flow.on_the_fly import at_stored_size, codes_at_size, codes_of_video
from vidcls.flow.report import Report, VideoResult
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import FlowSettings
from vidcls.flow.store import FlowStore
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.jobs import Pool, is_here, reason_of, worker_number
from vidcls.remote.places import Place
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord
from vidcls.video import open_video

TORCH_METHODS = ("tvl1", "raft")
Device = Literal["cpu", "cuda"]
_NUM_RECOMPUTED_FIELDS = 3


def precompute(
    records: Sequence[VideoRecord],
    root: Place,
    settings: FlowSettings,
    *,
    pool: Pool,
    device: Device = "cpu",
    tell: Callable[[str], None] = print,
    shard: Shard = WHOLE,
) -> Report:
    """Store the flow of all videos; those that already exist are not touched.

    Failures do not stop the others; they are in the report and in ``failures.csv`` at the root, which is removed where
    there are none. Shards may write to one store at the same time, from several machines too: the manifest counts what
    is in the store, and ``failures.csv`` has the failures of all.

    Args:
        records: the videos; those of the shard alone. Of a video that is listed in parts, all of it is stored, once.
        root: the folder of the store, made where it does not exist.
        settings: method, bound and size.
        pool: where the work is done.
        device: where methods in PyTorch (tvl1, raft) run; with ``cuda`` the processes take the GPUs in turn. Fields of
            a GPU differ from those that a CPU computes while loading or predicting by rounding, which can be a step of
            the 8-bit scale.
        tell: takes a line of text for the user.
        shard: which one of those that together do the work.

    Raises:
        FlowError: the store has other settings, or the disk lacks room or is full.
        FolderInUseError: another command, or the same shard, is writing to the store.
        MissingExtraError: the method needs a package that is not installed.
    """
    records = whole_videos(records)
    _check_device(device, settings, pool)
    estimate_by(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), settings)  # says now what no video could change
    with writers_at(root, shard) as writers:
        with writers.merging():
            writer = FlowStoreWriter.open(root, settings, is_alone=not writers.others())
        missing = writer.store.without_file(records)
        if missing:
            space = estimate_space(missing, settings, root)
            tell(_space_line(space, len(missing), len(records)))
            space.check(root)
        report = _over_videos(partial(store_video, writer, device=device), records, pool, what="flow", output=root)
        done = None if shard.is_whole else {printable(record.name) for record in records}
        with writers.merging():
            write_failures(root, report.failures, done=done)
            tell(_store_line(root, writer.finish(is_changed=report.num_done > 0)))
    return report


def verify(records: Sequence[VideoRecord], root: Place, *, pool: Pool, device: Device = "cpu") -> Report:
    """Read the flow of all videos back, and compare it with the videos; what is wrong is in the report's failures.

    Args:
        records: the videos.
        root: the folder of the store.
        pool: where the work is done.
        device: that the flow was computed on.

    Raises:
        FlowError: there is no store at root.
    """
    store, records = FlowStore(root), whole_videos(records)
    _check_device(device, store.settings, pool)
    return _over_videos(partial(verify_video, store, device=device), records, pool, what="verify")


def store_video(writer: FlowStoreWriter, record: VideoRecord, *, device: Device = "cpu") -> VideoResult:
    """Store the flow of one video where it is not there already."""
    if writer.is_current(record):
        return VideoResult(kept=True, saturation=writer.saturation_of(record))
    settings, tally = writer.store.settings, SaturationTally()
    with open_video(record.source, settings.backend(None)) as video:
        height_px, width_px = settings.stored_size(*video.frames([0]).shape[-2:])
        fields = codes_of_video(video, settings, device=_own_device(device), tally=tally)
        num_fields, num_bytes = writer.write(record, fields, height_px=height_px, width_px=width_px, tally=tally)
        return VideoResult(num_fields, num_bytes, fell_back=video.fallbacks > 0, saturation=tally.total())


def _check_device(device: Device, settings: FlowSettings, pool: Pool) -> None:
    """FlowError where a GPU is asked for that is not there, or that the method has no use for."""
    if device == "cpu":
        return
    if settings.method not in TORCH_METHODS:
        raise FlowError(
            f"--device cuda: method {settings.method} runs on the CPU alone: choose one of {', '.join(TORCH_METHODS)}, "
            "or remove it"
        )
    if is_here(pool) and not torch.cuda.is_available():
        raise FlowError("--device cuda: PyTorch finds no CUDA GPU here: remove it to compute on the CPU")


def _own_device(device: Device) -> str:
    """The GPU of this process: the GPUs are dealt to the processes in turn."""
    if device == "cpu":
        return device
    if not torch.cuda.is_available():
        raise FlowError(
            "--device cuda: PyTorch finds no CUDA GPU where the worker runs: pass --gpus_per_worker, or remove it to "
            "compute on the CPU"
        )
    return f"cuda:{worker_number() % torch.cuda.device_count()}"


def verify_video(store: FlowStore, record: VideoRecord, *, device: Device = "cpu") -> VideoResult:
    """Read every field of one video, and compute the first, the middle and the last again.

    Raises:
        FlowError: anything is wrong with the stored flow.
        DecodeError: the video cannot be read.
    """
    with store.open_file(record) as file, open_video(record.source, store.settings.backend(None)) as video:
        num_fields = video.num_frames - 1
        if file.num_fields != num_fields:
            raise FlowError(f"{file.path} has {file.num_fields} fields, but the video has {video.num_frames} frames")
        bound_px, read = store.settings.bound_px, Saturation(tail=None)
        for index in range(num_fields):
            read += Saturation.of_stored(dequantize(file.codes([index]), bound_px), bound_px)
        for index in sorted({num_fields * k // (_NUM_RECOMPUTED_FIELDS - 1) for k in range(_NUM_RECOMPUTED_FIELDS)}):
            index = min(index, num_fields - 1)
            if index >= 0:
                pair = at_stored_size(video.frames([index, index + 1]), store.settings)
                again = codes_at_size(pair, store.settings, device=_own_device(device))
                if not torch.equal(again, file.codes([index])):
                    raise FlowError(
                        f"field {index} of {file.path} differs from the same field computed now on the {device}: "
                        "delete it, or verify on the device that it was computed on (--device)"
                    )
        return VideoResult(num_fields, fell_back=video.fallbacks > 0, saturation=file.header.saturation or read)


def _over_videos(
    job: Callable[[VideoRecord], VideoResult],
    records: Sequence[VideoRecord],
    pool: Pool,
    *,
    what: str,
    output: Place | None = None,
) -> Report:
    results: list[VideoResult] = []
    failures: list[tuple[str, str]] = []
    counted: dict[str, Saturation] = {}
    num_fields = 0
    seconds_between = 0.2 if sys.stderr.isatty() else 10  # a log file needs no moving picture
    with tqdm(total=len(records), desc=what, unit=" videos", mininterval=seconds_between, dynamic_ncols=True) as bar:
        for outcome in pool.each(job, records, output=output):
            if outcome.result is not None:
                results.append(outcome.result)
                num_fields += outcome.result.num_fields
                if outcome.result.saturation is not None:
                    counted[outcome.record.name] = outcome.result.saturation
            else:
                failures.append((outcome.record.name, reason_of(outcome)))
            bar.set_postfix_str(f"{num_fields} fields, {len(failures)} failed", refresh=False)
            bar.update()
    return Report(
        num_done=sum(not r.kept for r in results),
        num_kept=sum(r.kept for r in results),
        num_fields=num_fields,
        num_bytes=sum(r.num_bytes for r in results),
        num_fallbacks=sum(r.fell_back for r in results),
        failures=sorted(failures),
        saturation=sum(counted.values(), Saturation()) if counted else None,
        saturated=sorted(
            ((name, found) for name, found in counted.items() if found.is_high),
            key=lambda pair: (-pair[1].share, pair[0]),
        ),
    )


def _space_line(space: SpaceEstimate, num_missing: int, num_videos: int) -> str:
    if not space.num_bytes:
        return f"{num_missing} of {num_videos} videos to do; their size could not be estimated"
    free = "" if space.free_bytes is None else f", {megabytes(space.free_bytes)} free"
    return f"{num_missing} of {num_videos} videos to do: about {megabytes(space.num_bytes)}{free}"


def _store_line(root: Place, manifest: Manifest) -> str:
    return (
        f"{root}: {manifest.num_videos} videos, {manifest.num_fields} fields, {megabytes(manifest.num_bytes)} "
        f"({manifest.settings.describe()})"
    )
