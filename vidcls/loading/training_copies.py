"""A data module that is to train -> a prepared copy of its videos, where that pays, and the copy in their place.

The copy serves training and validation. A test reads the videos themselves, as a prediction does, so that both agree.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from vidcls.clips.settings import InputSettings
from vidcls.copies.training_copy import FLOW, CopyEstimate, TrainingCopy, estimated
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.jobs import AllReachable, local_pool
from vidcls.loading.argument_checks import flow_of
from vidcls.loading.data_wait import DataWait, num_cores, step_speed
from vidcls.loading.loading_speed import loading_speed, sampled
from vidcls.loading.video_data import VideoData
from vidcls.spelling import did_you_mean
from vidcls.types import VideoRecord

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

AUTO, NEVER = "auto", "never"
LEAST_SHARE = 0.2  # of the time spent waiting; below it a copy is not worth a word


@dataclass(frozen=True, slots=True)
class CopyGain:
    """What a copy would change.

    Args:
        before: a training on the videos themselves.
        after: the same on the copy.
        estimate: what the copy costs.
    """

    before: DataWait
    after: DataWait
    estimate: CopyEstimate

    def saved_seconds(self, num_clips: int) -> float:
        """In an epoch of so many clips."""
        return self.before.epoch_seconds(num_clips) - self.after.epoch_seconds(num_clips)


@dataclass(frozen=True, slots=True)
class CopyInUse:
    """A copy whose files a data module reads in place of the videos themselves.

    Args:
        copy: it.
        originals: the records that it had before.
    """

    copy: TrainingCopy
    originals: Sequence[VideoRecord]

    def undo(self, data: VideoData) -> None:
        """Let the videos themselves be read again; their flow is computed at the size that it was trained with."""
        data.records, data.flow_source = self.originals, None


def prepare_training(data: VideoData, trainer: Trainer) -> None:
    """Make the copy that was asked for, or with ``auto`` one that pays, and say so; one that is there is used.

    Raises:
        VidclsError: see :func:`training_copy` and :func:`make_copy`.
    """
    from lightning.pytorch.utilities import rank_zero_info  # a check of a data set does without Lightning

    if data.prepare == AUTO and not training_copy(data).is_whole(copied_records(data)):
        has_end = trainer.max_epochs is not None and trainer.max_epochs >= 0
        epochs = trainer.max_epochs if has_end else None
        is_wanted, line = copy_lines(data, trainer.lightning_module, device=trainer.strategy.root_device, epochs=epochs)
        rank_zero_info(line)
        if not is_wanted:
            return
    copy, records = training_copy(data), copied_records(data)
    if not copy.is_whole(records):  # which may take long
        rank_zero_info(f"prepare: copying {copy.num_missing(records)} videos to {copy.root}")
    rank_zero_info(make_copy(data))


def chosen_folder(prepare: str) -> Path | None:
    """The folder that ``data.prepare`` names; None for ``auto`` and ``never``.

    Raises:
        ConfigurationError: a word that is no folder, and more likely a mistyped value than the name of a new one.
    """
    if prepare in (AUTO, NEVER):
        return None
    folder = Path(prepare).expanduser()
    if not folder.is_dir() and not any(sign in prepare for sign in {"/", os.sep}):
        hint = did_you_mean(prepare, (AUTO, NEVER))
        raise ConfigurationError(
            f"data.prepare: unknown value {prepare!r}: {hint}{' ' if hint else ''}pass {AUTO}, {NEVER}, or a folder (a "
            f"new one in the current folder: ./{prepare})"
        )
    return folder.absolute()


def use_copy(data: VideoData) -> CopyInUse | None:
    """Let the videos of training and validation be read from their copy; None where there is none."""
    copy, records = training_copy(data), copied_records(data)
    swapped = copy.used(records)
    if swapped is None or not copy.is_whole(records):
        return None
    in_use = CopyInUse(copy, data.records)
    copied = dict(zip((record.name for record in records), swapped, strict=True))
    data.records = [copied.get(record.name, record) for record in data.records]
    if copy.flow_settings is not None:
        data.flow_source, flow = flow_of(str(copy.root / FLOW), None, data.input_settings.decoder)
        data.input_settings = replace(data.input_settings, flow_settings=flow)
    return in_use


def training_copy(data: VideoData) -> TrainingCopy:
    """The copy that the training is to use, or would use.

    Raises:
        ConfigurationError: the training reads stored flow, which belongs to the videos themselves, or see
            `chosen_folder`.
    """
    if data.flow_source is not None:
        raise ConfigurationError(
            f"--data.prepare {data.prepare} and --data.flow exclude each other, since a copy has flow of its own: "
            "remove one of them"
        )
    return TrainingCopy.of(copied_records(data), data.input_settings, chosen_folder(data.prepare))


def copied_records(data: VideoData) -> list[VideoRecord]:
    """The videos that the copy is of: those of training and validation."""
    return [record for record in data.records if record.split != "test"]


def copy_lines(data: VideoData, network: nn.Module, *, device: torch.device, epochs: int | None) -> tuple[bool, str]:
    """Whether to make a copy, and why, in one line.

    Args:
        data: with its videos in place.
        network: that is to be trained; it is timed, and stays as it is.
        device: where it trains.
        epochs: of the training; None where it has no end.
    """
    train = [record for record in data.records if record.split == "train"]
    wait = expected_wait(data, train, network, device=device)
    if wait is None:
        return False, "prepare: no clip could be loaded, so that no copy is made"
    loaders = f"{data.num_workers} workers load" if data.num_workers else "this process loads"
    rates = (
        f"{loaders} about {wait.loaded_per_second * max(1, data.num_workers):.3g} clips/s, the network trains on "
        f"{wait.step.clips_per_second:.3g}"
    )
    if wait.share < LEAST_SHARE:
        return False, f"prepare: no copy is needed: the training will wait about {wait.share:.0%} of its time ({rates})"
    gain = copy_gain(data, wait)
    if gain is None:
        return False, "prepare: no video could be copied, so that the training reads the videos themselves"
    saved = float("inf") if epochs is None else epochs * gain.saved_seconds(data.num_repeats * len(train))
    cost = f"{duration(gain.estimate.seconds)} and {gain.estimate.num_bytes / 1e6:.0f} MB"
    held_up = f"the training would wait for data about {wait.share:.0%} of its time ({rates})"
    if saved <= gain.estimate.seconds:
        return False, f"prepare: no copy is made: {held_up}, but a copy takes about {cost} and saves {duration(saved)}"
    saves = "" if epochs is None else f" and saves about {duration(saved)} in {epochs} epochs"
    return True, f"prepare: {held_up}; a small copy takes about {cost}{saves}"


def expected_wait(
    data: VideoData, records: Sequence[VideoRecord], network: nn.Module, *, device: torch.device
) -> DataWait | None:
    """How long a training on these videos will wait; None where no clip could be loaded."""
    loaded = loading_speed(sampled(records), data.input_settings, data.flow_source, num_repeats=data.num_repeats)
    if loaded is None:
        return None
    step = step_speed(network, random_clips(data.input_settings, data.batch_size), device=device)
    return DataWait(loaded.clips_per_second, step, data.num_workers, num_cores())


def copy_gain(data: VideoData, before: DataWait) -> CopyGain | None:
    """What a copy would change, from a copy of a few of them; None where none can be copied."""
    rates: list[float] = []

    def try_out(copy: TrainingCopy, few: list[VideoRecord]) -> None:
        settings = replace(data.input_settings, flow_settings=copy.flow_settings)
        loaded = loading_speed(few * 4, settings, copy.flow_store(), num_repeats=data.num_repeats)
        if loaded is not None:
            rates.append(loaded.clips_per_second)

    with contextlib.redirect_stderr(io.StringIO()):  # its bars are not those of a copy that is made
        cost = estimated(copied_records(data), data.input_settings, num_workers=num_cores(), try_out=try_out)
    if cost is None or not rates:
        return None
    return CopyGain(before, replace(before, loaded_per_second=rates[0]), cost)


def make_copy(data: VideoData) -> str:
    """Make what is missing of the copy, and say where it is.

    Raises:
        DatasetError: a training video cannot be copied, and ``bad_videos`` is ``error``.
        UnreachableError: a server does not give one; those that were copied stay.
        VidclsError: the folder holds something else or is in use, or the disk is full.
    """
    copy, records = training_copy(data), copied_records(data)
    failures = [] if copy.is_whole(records) else copy.make(records, pool=AllReachable(local_pool(num_cores())))
    if failures and data.bad_videos == "error":
        more = f", and {len(failures) - 1} more videos" if len(failures) > 1 else ""
        raise DatasetError(
            f"{failures[0][0]}: cannot be copied ({failures[0][1]}){more}: look with vidcls data check, or set "
            "--data.bad_videos skip"
        )
    return (
        f"prepare: training on a copy of {len(whole_videos(records))} videos ({copy.size_text}, "
        f"{copy.num_bytes() / 1e6:.0f} MB): {copy.root}; a test reads the videos themselves"
    )


def random_clips(settings: InputSettings, batch_size: int) -> dict[str, torch.Tensor]:
    """A batch of noise in the shape of training clips, ``(B, C, T, H, W)`` by stream."""
    generator = torch.Generator().manual_seed(0)
    return {
        stream.name: torch.randn(batch_size, *settings.view_shape(stream), generator=generator)
        for stream in settings.streams
    }


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(8.2), duration(80), duration(3000), duration(9000)
    ('8 s', '1.3 min', '50 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} min" if seconds < 3600 else f"{seconds / 3600:.2g} h"
