"""A data set and a network -> how a training will wait for its data, and what a small copy changes; measured once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidcls.files import write_text
from vidcls.loading.data_wait import DataWait, StepSpeed, num_cores
from vidcls.loading.loading_speed import LoadingSpeed, measurement_key, sampled
from vidcls.loading.training_copies import LEAST_SHARE, copy_gain, expected_wait
from vidcls.loading.video_data import VideoData
from vidcls.settings_file import read_json
from vidcls.types import VideoRecord

MOST_KEPT = 1000  # measurements in the file


@dataclass(frozen=True, slots=True)
class TrainingForecast:
    """What was measured, in plain numbers.

    Args:
        loaded_per_second: clips that one process loads, on one thread.
        num_loaded: clips from which this was found, at most.
        trained_per_second: clips that the network trains on where it never waits.
        batch_size: in batches of so many.
        num_threads: of the processor; 0 where a GPU trained.
        num_workers: that load.
        copy_loaded_per_second: clips that one process loads from a small copy; None where none was tried.
        copy_seconds: in which it is made.
        copy_bytes: of it.
    """

    loaded_per_second: float
    num_loaded: int
    trained_per_second: float
    batch_size: int
    num_threads: int
    num_workers: int
    copy_loaded_per_second: float | None = None
    copy_seconds: float | None = None
    copy_bytes: float | None = None

    @property
    def wait(self) -> DataWait:
        """From the videos themselves."""
        step = StepSpeed(self.trained_per_second, self.batch_size, self.num_threads)
        return DataWait(self.loaded_per_second, step, self.num_workers, num_cores())

    @property
    def copy_wait(self) -> DataWait | None:
        """From the copy."""
        rate = self.copy_loaded_per_second
        return None if rate is None else replace(self.wait, loaded_per_second=rate)

    @property
    def speed(self) -> LoadingSpeed:
        """Of loading alone."""
        return LoadingSpeed(self.loaded_per_second, self.num_loaded)


def known_forecast(
    data: VideoData,
    records: list[VideoRecord],
    network: Callable[[], nn.Module],
    *,
    what: str,
    device: torch.device,
    file: Path | None,
) -> TrainingForecast | None:
    """The forecast for these videos, measured once for the same videos, settings and network on this machine.

    Args:
        data: how clips are loaded.
        records: sound videos, of training and validation at least.
        network: makes the network that is timed.
        what: tells it from others.
        device: where it trains.
        file: a JSON file with what was measured before; None measures it in any case.
    """
    key = measurement_key(sampled(records), data.input_settings, data.flow_source)
    key += f" {what} {data.batch_size} {data.num_workers} {device.type} {torch.get_num_threads()} {data.num_repeats}"
    measured = _read(file)
    if key in measured:
        with suppress(TypeError):  # of another version
            return TrainingForecast(**measured[key])
    wait = expected_wait(data, records, network(), device=device)
    if wait is None:
        return None
    step = wait.step
    found = TrainingForecast(
        wait.loaded_per_second,
        min(len(records), len(sampled(records))),
        step.clips_per_second,
        step.batch_size,
        step.num_threads,
        data.num_workers,
    )
    gain = copy_gain(data, wait) if wait.share >= LEAST_SHARE and data.flow_source is None else None
    if gain is not None:
        found = replace(
            found,
            copy_loaded_per_second=gain.after.loaded_per_second,
            copy_seconds=gain.estimate.seconds,
            copy_bytes=gain.estimate.num_bytes,
        )
    if file is not None:
        measured[key] = asdict(found)
        with suppress(OSError):  # then it is measured again the next time
            write_text(file, json.dumps(dict(list(measured.items())[-MOST_KEPT:])))
    return found


def _read(file: Path | None) -> dict[str, dict[str, Any]]:
    if file is None:
        return {}
    try:
        plain = read_json(file)
    except (OSError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}
