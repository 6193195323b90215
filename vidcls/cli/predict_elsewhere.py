"""``vidcls predict`` on a cluster: the same rows, in the same order, from workers on its nodes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.pool_options import chosen_pool, worker_device
from vidcls.cli.predict_found import Found, PredictedFile, earlier_windows, is_soundless, say_overlap
from vidcls.errors import DecodeError, VidclsError
from vidcls.remote import is_address, shown

if TYPE_CHECKING:
    from vidcls.predict.prediction import Prediction
    from vidcls.predict.scoring import VideoScorer


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
