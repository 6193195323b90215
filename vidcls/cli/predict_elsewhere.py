"""``vidcls predict`` on a cluster: the same rows, in the same order, from workers on its nodes."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.pool_options import chosen_pool, worker_device
from vidcls.console import say
from vidcls.errors import DecodeError, VidclsError
from vidcls.remote import is_address, shown

if TYPE_CHECKING:
    from vidcls.predict.prediction import Prediction
    from vidcls.predict.scoring import VideoScorer

LEAST_OVERLAP_SECONDS = 0.005


@dataclass(frozen=True)
class PredictedFile:
    """One video: where it lies, and where its labelled copy and its segments go, if anywhere."""

    video: Path | str
    overlay: Path | None
    segments: Path | None = None


@dataclass
class Found:
    """What is to be said in the end."""

    fallbacks: dict[str, None] = field(default_factory=dict)  # each once, in order
    failures: list[tuple[str, str]] = field(default_factory=list)
    soundless: list[str] = field(default_factory=list)  # of a model that hears


def predict_elsewhere(
    predictor: VideoScorer,
    jobs: Sequence[PredictedFile],
    options: Namespace,
    take: Callable[[Prediction], None],
    found: Found,
    progress: Callable[[], object],
) -> Found:
    """Predict on a cluster, whose workers each read the network once; rows come in the order of the videos.

    Args:
        predictor: names the file of the model.
        jobs: the videos.
        options: of the command.
        take: is handed each prediction.
        found: to which failures are added.
        progress: is called after each video.

    Raises:
        VidclsError: what no video could change, or the only video cannot be read.
    """
    from vidcls.jobs import reason_of
    from vidcls.predict.inputs import names_below_common_folder
    from vidcls.predict.video_job import PredictJob, predicted_in_order
    from vidcls.types import VideoRecord
    from vidcls.video import source_of

    names = names_below_common_folder([job.video for job in jobs])
    records = [
        VideoRecord(source_of(job.video), "", "test", name).with_part(options.part)
        for job, name in zip(jobs, names, strict=True)
    ]
    checkpoint = options.checkpoint if is_address(options.checkpoint) else predictor.path.absolute()
    job_of_all = PredictJob(
        checkpoint,
        worker_device(options),
        options.window_seconds,
        options.hop_seconds,
        options.overlay if options.overlay is None or len(jobs) > 1 else jobs[0].overlay,
        options.unknown,
    )
    files = [checkpoint] if isinstance(checkpoint, Path) else []
    outcomes = predicted_in_order(chosen_pool(options, files), job_of_all, records)
    for job, outcome in zip(jobs, outcomes, strict=True):
        progress()
        if outcome.result is None:
            if isinstance(outcome.error, VidclsError) or len(jobs) == 1:
                raise outcome.error if isinstance(outcome.error, VidclsError) else DecodeError(reason_of(outcome))
            found.failures.append((shown(str(job.video)), reason_of(outcome)))
            continue
        predicted = outcome.result
        for prediction in predicted.predictions:
            take(prediction)
        if is_soundless(predictor, job):
            found.soundless.append(shown(str(job.video)))
        if predicted.failure and len(jobs) == 1:
            raise DecodeError(predicted.failure)
        if predicted.failure:
            windows = earlier_windows(options, len(predicted.predictions))
            found.failures.append((shown(str(job.video)), predicted.failure + windows))
        elif options.hop_seconds is None:
            for before, after in list(pairwise(predicted.predictions))[-1:]:
                say_overlap(shown(str(job.video)), before.end_seconds - after.start_seconds)
        found.fallbacks.update(dict.fromkeys(predicted.fallbacks))
    return found


def earlier_windows(options: Namespace, num_rows: int) -> str:
    """That the windows before the damage of a video are kept, if there are any."""
    is_cut = options.window_seconds is not None and num_rows
    return f" (after {num_rows} windows, which are kept)" if is_cut else ""


def say_overlap(video: str, seconds: float) -> None:
    """That the last window was moved back, if it was."""
    if seconds > LEAST_OVERLAP_SECONDS:
        say(f"{video}: the last window begins {seconds:.2f} s before the end of the one before it", file=sys.stderr)


def is_soundless(predictor: VideoScorer, job: PredictedFile) -> bool:
    """Whether a model that hears was given a video without a sound track."""
    from vidcls.types import sees

    if not sees(predictor.input_settings.streams, "audio"):
        return False
    from vidcls.video.sound import has_sound
    from vidcls.video.source import source_of

    return not has_sound(source_of(job.video))
