"""Sound videos -> how many training clips one process loads in a second."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vidcls.clips.reader import ClipReader
from vidcls.clips.settings import InputSettings
from vidcls.errors import VidclsError
from vidcls.files import write_text
from vidcls.flow import FlowSource
from vidcls.loading.clip_dataset import ClipKey, TrainClips
from vidcls.settings_file import read_json
from vidcls.tasks import task_of
from vidcls.types import VideoRecord

NUM_SAMPLED = 24
MOST_SECONDS = 5.0
MOST_KEPT = 1000  # measurements in the file


@dataclass(frozen=True, slots=True)
class LoadingSpeed:
    """How fast clips can be loaded.

    Args:
        clips_per_second: of one process on one thread.
        num_clips: that were loaded to find it out.
    """

    clips_per_second: float
    num_clips: int


def known_speed(
    records: Sequence[VideoRecord], settings: InputSettings, flow_source: FlowSource | None, file: Path | None
) -> LoadingSpeed | None:
    """The speed over some of the videos, measured once for the same videos and settings on this machine.

    Args:
        records: sound ones.
        settings: what a clip is.
        flow_source: stored flow; None where it is computed.
        file: a JSON file with what was measured before; None measures it in any case.
    """
    chosen = sampled(records)
    key = measurement_key(chosen, settings, flow_source)
    measured = _read(file)
    if key not in measured:
        speed = loading_speed(chosen, settings, flow_source)
        if speed is None or file is None:
            return speed
        measured[key] = [speed.clips_per_second, speed.num_clips]
        with suppress(OSError):  # then it is measured again the next time
            write_text(file, json.dumps(dict(list(measured.items())[-MOST_KEPT:])))
    clips_per_second, num_clips = measured[key]
    return LoadingSpeed(clips_per_second, int(num_clips))


def measurement_key(records: Sequence[VideoRecord], settings: InputSettings, flow_source: FlowSource | None) -> str:
    """What tells a measurement over these videos on this machine from others."""
    identities = [(r.source.name, *(r.source.stamp() or (0, 0))) for r in records]
    where = (platform.node(), os.cpu_count(), str(getattr(flow_source, "root", "")))
    plain = repr((settings.to_dict(), identities, where)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(plain, digest_size=16).hexdigest()


def sampled(records: Sequence[VideoRecord]) -> list[VideoRecord]:
    """Some videos, spread evenly."""
    num = min(NUM_SAMPLED, len(records))
    return [records[k * len(records) // num] for k in range(num)]


def loading_speed(
    records: Sequence[VideoRecord], settings: InputSettings, flow_source: FlowSource | None, *, num_repeats: int = 1
) -> LoadingSpeed | None:
    """The speed over these videos; None where no clip could be loaded. The first one, which warms up, does not count.

    Args:
        records: sound ones.
        settings: what a clip is.
        flow_source: stored flow; None where it is computed.
        num_repeats: clips of each video that is opened.
    """
    unlabelled = [replace(record, label="", several=None) for record in records]  # what a video shows takes no time
    clips = TrainClips(unlabelled, task_of(None, [""]), ClipReader(settings, flow_source))
    num_threads, num_clips, seconds = torch.get_num_threads(), 0, 0.0
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for index in range(-1, len(records)):
                started = time.perf_counter()
                try:
                    clips.__getitems__([ClipKey(0, 0, max(index, 0), repeat) for repeat in range(num_repeats)])
                except VidclsError:
                    continue  # no flow of it, or shorter than the policy allows: stands among the findings
                if index >= 0:
                    num_clips += num_repeats
                    seconds += time.perf_counter() - started
                if seconds > MOST_SECONDS:
                    break
    finally:
        torch.set_num_threads(num_threads)
    return LoadingSpeed(num_clips / seconds, num_clips) if num_clips else None


def _read(file: Path | None) -> dict[str, list[float]]:
    if file is None:
        return {}
    try:
        plain = read_json(file)
        return {key: [float(speed), int(num)] for key, (speed, num) in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
