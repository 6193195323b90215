"""A checkpoint and a video -> all its predictions, and its labelled copy: the work of one worker of several."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vidcls.errors import DatasetError, DecodeError
from vidcls.jobs import Outcome, Pool
from vidcls.predict.open_model import Device, open_model
from vidcls.predict.overlay import overlay_path, write_overlay
from vidcls.predict.prediction import Prediction
from vidcls.predict.scoring import VideoScorer
from vidcls.types import VideoRecord
from vidcls.video import DecoderFallbackWarning


@dataclass(frozen=True, slots=True)
class PredictJob:
    """What to predict of each video; it can be pickled.

    Args:
        checkpoint: the file, which every worker reads, or its address, from which each fetches it.
        device: where the network runs.
        window_seconds: length of the windows that videos are cut into; None for whole videos.
        hop_seconds: from one to the next.
        overlay: the folder of labelled copies, or the file of the only one; None writes none.
        unknown: whether an answer may be ``unknown``.
    """

    checkpoint: Path | str
    device: Device
    window_seconds: float | None = None
    hop_seconds: float | None = None
    overlay: Path | None = None
    unknown: bool = False


@dataclass(slots=True)
class Predicted:
    """What became of one video.

    Args:
        predictions: one, or one for each window, in order of time.
        fallbacks: what was said where another decoder than the first read it.
        failure: why it could not be read to its end; empty where it was.
    """

    predictions: list[Prediction] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    failure: str = ""


def predict_video(job: PredictJob, record: VideoRecord) -> Predicted:
    """All predictions of a video; the network is read by the first video of a worker.

    Raises:
        CheckpointError: the network answers with NaN or infinity.
        OSError: the labelled copy cannot be written.
    """
    predictor, found = _kept_predictor(job), Predicted()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DecoderFallbackWarning)
        try:
            shown = nullcontext(record.source) if job.overlay is None else predictor.open(record.source)
            with shown as video:
                if job.window_seconds is None:
                    found.predictions.append(predictor(video, part=record.part))
                else:
                    for prediction in predictor.each_window(video, job.window_seconds, job.hop_seconds):
                        found.predictions.append(prediction)  # one by one: those before the damage are kept
                if job.overlay is not None:
                    place = job.overlay if job.overlay.suffix else overlay_path(job.overlay, record.video_name)
                    write_overlay(video, found.predictions, place, decoder=predictor.input_settings.decoder)
        except (DecodeError, DatasetError) as error:
            found.failure = str(error)
    found.fallbacks = [str(w.message) for w in caught if issubclass(w.category, DecoderFallbackWarning)]
    return found


def predicted_in_order(pool: Pool, job: PredictJob, records: Sequence[VideoRecord]) -> Iterator[Outcome[Predicted]]:
    """The outcome of each video in the order of the records, whatever the order in which they come.

    Args:
        pool: where the work is done.
        job: what to do.
        records: videos of different names.
    """
    early: dict[str, Outcome[Predicted]] = {}
    waiting = iter(records)
    wanted = next(waiting, None)
    folder = None if job.overlay is None else job.overlay.parent if job.overlay.suffix else job.overlay
    for outcome in pool.each(partial(predict_video, job), records, output=folder):
        early[outcome.record.name] = outcome
        while wanted is not None and wanted.name in early:
            yield early.pop(wanted.name)
            wanted = next(waiting, None)


_kept: dict[PredictJob, VideoScorer] = {}  # of this process: one at a time


def _kept_predictor(job: PredictJob) -> VideoScorer:
    if job not in _kept:
        _kept.clear()
        _kept[job] = open_model(job.checkpoint, device=job.device, unknown=job.unknown)
    return _kept[job]
