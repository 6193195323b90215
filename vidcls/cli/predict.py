"""``vidcls predict``: a checkpoint and videos -> a table, and where asked for a file of scores and labelled videos."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_seconds
from vidcls.errors import ConfigurationError, DatasetError, DecodeError

if TYPE_CHECKING:
    from vidcls.predict import Predictor
    from vidcls.predict.output import PredictionReport
    from vidcls.types import Prediction

DESCRIPTION = """Label videos with a trained model, in the way in which its test scored videos.

  vidcls predict runs/two_stream/2026-11-20_10-00-00 new.mp4
  vidcls predict best.ckpt clips 'more/*.mp4' --output scores.csv
  vidcls predict best.ckpt long.mp4 --window-seconds 2 --output timeline.json --overlay labelled.mp4

Exit status: 0 all predicted, 1 some videos could not be read (listed at the end), 2 bad input."""
PARTLY_FAILED = 1


@dataclass(frozen=True)
class _Job:
    """One video: where it lies, and where its labelled copy goes, if anywhere."""

    video: Path
    overlay: Path | None


def main(argv: list[str]) -> int:
    """Predict all videos; returns the exit status.

    Raises:
        VidclsError: nothing could be predicted: bad options, checkpoint or paths, or the only video cannot be read.
    """
    options = _parsed(argv)
    from vidcls.predict import Predictor
    from vidcls.predict.inputs import find_videos
    from vidcls.predict.output import PredictionReport, check_output, write_report

    videos = find_videos(options.videos)
    if options.output is not None:
        check_output(options.output, videos)
    overlays = [None] * len(videos) if options.overlay is None else _overlay_paths(options.overlay, videos)
    jobs = [_Job(video, overlay) for video, overlay in zip(videos, overlays, strict=True)]
    predictor = Predictor(options.checkpoint, device=options.device)
    report = PredictionReport(predictor.path, predictor.class_names)
    fallbacks = _predict_all(predictor, jobs, options, report)
    for line in fallbacks:
        print(f"vidcls: warning: {line}", file=sys.stderr)
    if options.output is not None and report.predictions:
        write_report(report, options.output, top_k=options.top_k)
    if report.failures:
        print(f"vidcls: {len(report.failures)} of {len(jobs)} videos failed:", file=sys.stderr)
        for _, reason in report.failures:
            print(f"  {' '.join(reason.split())}", file=sys.stderr)
    return PARTLY_FAILED if report.failures else 0


def _parsed(argv: list[str]) -> Namespace:
    parser = OneLineParser("predict", DESCRIPTION)
    add = parser.add_argument
    add(
        "checkpoint",
        metavar="CKPT",
        type=Path,
        help="a checkpoint, or the folder of a run, for its best one",
    )
    add("videos", metavar="VIDEO", nargs="+", help="videos, folders of videos, or patterns in quotes")
    add("--output", type=Path, metavar="FILE", help="write all scores to this .csv or .json file")
    add("--top-k", type=positive_count, default=5, metavar="K", help="classes to show, best first (default 5)")
    add(
        "--overlay",
        type=Path,
        metavar="OUT",
        help="write the video with label and score drawn into it: OUT.mp4, or a folder, which several videos need",
    )
    add("--window-seconds", type=positive_seconds, metavar="S", help="cut videos into windows of S seconds: a timeline")
    add("--hop-seconds", type=positive_seconds, metavar="S", help="from one window to the next (default: end to end)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    options = parser.parse_intermixed_args(argv)
    if options.hop_seconds is not None:
        if options.window_seconds is None:
            parser.error("--hop-seconds needs --window-seconds")
        if options.hop_seconds > options.window_seconds:
            parser.error("--hop-seconds is longer than --window-seconds, which would leave parts out")
    return options


def _overlay_paths(wanted: Path, videos: Sequence[Path]) -> list[Path]:
    """The file to write for each video; ConfigurationError where that cannot be."""
    from vidcls.predict.inputs import names_below_common_folder
    from vidcls.predict.output import check_place
    from vidcls.predict.overlay import OVERLAY_SUFFIXES, overlay_path

    names_file = bool(wanted.suffix) and not wanted.is_dir()
    if names_file and len(videos) > 1:
        raise ConfigurationError(f"--overlay {wanted}: there are {len(videos)} videos; give a folder for all of them")
    if names_file and wanted.suffix.lower() not in OVERLAY_SUFFIXES:
        allowed = ", ".join(OVERLAY_SUFFIXES)
        raise ConfigurationError(f"--overlay {wanted}: suffix is {wanted.suffix!r}; allowed are {allowed}, or a folder")
    paths = [wanted] if names_file else [overlay_path(wanted, name) for name in names_below_common_folder(videos)]
    for path in paths:
        check_place(path, videos, option="--overlay")
    return paths


def _predict_all(predictor: Predictor, jobs: Sequence[_Job], options: Namespace, report: PredictionReport) -> list[str]:
    """Fill the report and print a line for each prediction at once; returns what fell back to another decoder.

    A video that cannot be read goes to the failures, and is raised where it is the only one.
    """
    from tqdm import tqdm

    from vidcls.predict.output import printable, table_line
    from vidcls.predict.overlay import write_overlay
    from vidcls.video import DecoderFallbackWarning

    path_width = min(60, max(len(printable(job.video)) for job in jobs))
    fallbacks: dict[str, None] = {}  # each once, in order
    for job in tqdm(jobs, unit="video", leave=False, disable=True if len(jobs) == 1 else None):  # None: on terminals
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", DecoderFallbackWarning)
                predictions = _predicted(predictor, job.video, options)
                if job.overlay is not None:
                    write_overlay(job.video, predictions, job.overlay)
        except (DecodeError, DatasetError) as error:
            if len(jobs) == 1:
                raise
            report.failures.append((job.video, str(error)))
            continue
        for warning in caught:
            if issubclass(warning.category, DecoderFallbackWarning):
                fallbacks[str(warning.message)] = None
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        for prediction in predictions:
            line = table_line(
                prediction,
                top_k=options.top_k,
                path_width=path_width,
                with_time=options.window_seconds is not None,
            )
            tqdm.write(line, file=sys.stdout)
        report.predictions.extend(predictions)
    return list(fallbacks)


def _predicted(predictor: Predictor, video: Path, options: Namespace) -> list[Prediction]:
    if options.window_seconds is None:
        return [predictor(video)]
    return predictor.timeline(video, options.window_seconds, options.hop_seconds)
