"""``vidcls predict``: a checkpoint and videos -> a table, and where asked for a file of scores and labelled videos."""

from __future__ import annotations

import shutil
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_seconds
from vidcls.cli.named_model import MODEL_HELP, checkpoint_for_videos
from vidcls.console import say
from vidcls.errors import ConfigurationError, DatasetError, DecodeError, VidclsError

if TYPE_CHECKING:
    from vidcls.predict import Predictor
    from vidcls.predict.output import PredictionFile
    from vidcls.predict.prediction import Prediction
    from vidcls.video import Video
    from vidcls.video.source import AnyVideo

DESCRIPTION = """Label videos with a trained model, in the way in which its test scored videos.

  vidcls predict best new.mp4
  vidcls predict runs/two_stream clips 'more/*.mp4' --output scores.csv
  vidcls predict best long.mp4 --window_seconds 2 --output timeline.json --overlay labelled.mp4

Rows come as they are found; until all are there, --output scores.csv is called scores.partial.csv, which stays where
the command is interrupted.

Exit status: 0 all predicted, 1 some videos could not be read (listed at the end), 2 none could be
read, or bad input."""
PARTLY_FAILED, BAD_INPUT = 1, 2
LEAST_OVERLAP_SECONDS = 0.005
TOP_K, NARROW_TOP_K, NARROW_COLUMNS = 5, 3, 100
TOP_K_HELP = "classes to show, best first (default 5; 3 of each window on a terminal narrower than 100 columns)"


@dataclass(frozen=True)
class _Job:
    """One video: where it lies, and where its labelled copy goes, if anywhere."""

    video: Path
    overlay: Path | None


@dataclass
class _Found:
    """What is to be said in the end."""

    fallbacks: dict[str, None] = field(default_factory=dict)  # each once, in order
    failures: list[tuple[Path, str]] = field(default_factory=list)


def main(argv: list[str]) -> int:
    """Predict all videos; returns the exit status.

    Raises:
        VidclsError: nothing could be predicted: bad options, checkpoint or paths, or the only video cannot be read.
    """
    options = _parsed(argv)
    from vidcls.predict.inputs import find_videos

    checkpoint = checkpoint_for_videos(options.checkpoint, options.videos, command="predict")
    videos = find_videos(options.videos)
    from vidcls.predict import Predictor
    from vidcls.predict.output import PredictionFile, check_output

    if options.output is not None:
        check_output(options.output, videos)
    overlays = [None] * len(videos) if options.overlay is None else _overlay_paths(options.overlay, videos)
    jobs = [_Job(video, overlay) for video, overlay in zip(videos, overlays, strict=True)]
    predictor = Predictor(checkpoint, device=options.device)
    if options.output is None:
        return _told(_predict_all(predictor, jobs, options, None), len(jobs))
    with PredictionFile(options.output, predictor.path, predictor.class_names, top_k=options.top_k or TOP_K) as file:
        try:
            found = _predict_all(predictor, jobs, options, file)
            file.finish(found.failures)
        except KeyboardInterrupt:
            if file.num_rows:
                say(f"vidcls: interrupted: the {file.num_rows} rows so far are in {file.partial}", file=sys.stderr)
            raise
        except VidclsError as error:
            if not file.num_rows:
                raise
            raise type(error)(f"{error}; the {file.num_rows} rows before it are in {file.partial}") from error
    return _told(found, len(jobs))


def _told(found: _Found, num_videos: int) -> int:
    """Say what another decoder read and what failed; returns the exit status."""
    for line in found.fallbacks:
        say(f"vidcls: warning: {line}", file=sys.stderr)
    if found.failures:
        say(f"vidcls: {len(found.failures)} of {num_videos} videos failed:", file=sys.stderr)
        for _, reason in found.failures:
            say(f"  {reason}", file=sys.stderr)
    if len(found.failures) == num_videos:
        return BAD_INPUT
    return PARTLY_FAILED if found.failures else 0


def _parsed(argv: list[str]) -> Namespace:
    parser = OneLineParser("predict", DESCRIPTION)
    add = parser.add_argument
    add(
        "checkpoint",
        metavar="MODEL",
        help=MODEL_HELP,
    )
    add("videos", metavar="VIDEO", nargs="+", help="videos, folders of videos, or patterns in quotes")
    add("--output", type=Path, metavar="FILE", help="write all scores to this .csv or .json file")
    add("--top_k", type=positive_count, metavar="K", help=TOP_K_HELP)
    add(
        "--overlay",
        type=Path,
        metavar="OUT",
        help="write the video with label and score drawn into it: OUT.mp4, or a folder, which several videos need",
    )
    add("--window_seconds", type=positive_seconds, metavar="S", help="cut videos into windows of S seconds: a timeline")
    add("--hop_seconds", type=positive_seconds, metavar="S", help="from one window to the next (default: end to end)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    options = parser.parse_intermixed_args(argv)
    if options.hop_seconds is not None:
        if options.window_seconds is None:
            parser.error("--hop_seconds needs --window_seconds")
        if options.hop_seconds > options.window_seconds:
            parser.error("--hop_seconds is longer than --window_seconds, which would leave parts out")
    return options


def _overlay_paths(wanted: Path, videos: Sequence[Path]) -> list[Path]:
    """The file to write for each video; ConfigurationError where that cannot be."""
    from vidcls.outputs import check_place
    from vidcls.predict.inputs import names_below_common_folder
    from vidcls.predict.overlay import OVERLAY_SUFFIXES, overlay_path

    names_file = bool(wanted.suffix) and not wanted.is_dir()
    if names_file and len(videos) > 1:
        raise ConfigurationError(f"--overlay {wanted}: there are {len(videos)} videos; pass a folder for all of them")
    if names_file and wanted.suffix.lower() not in OVERLAY_SUFFIXES:
        allowed = ", ".join(OVERLAY_SUFFIXES)
        raise ConfigurationError(f"--overlay {wanted}: suffix is {wanted.suffix!r}; allowed are {allowed}, or a folder")
    paths = [wanted] if names_file else [overlay_path(wanted, name) for name in names_below_common_folder(videos)]
    for path in paths:
        check_place(path, videos, option="--overlay")
    return paths


def _predict_all(predictor: Predictor, jobs: Sequence[_Job], options: Namespace, file: PredictionFile | None) -> _Found:
    """Print a line for each prediction, and write it to the file, as it comes.

    A video that cannot be read goes to the failures, and is raised where it is the only one.
    """
    from tqdm import tqdm

    from vidcls.console import visible
    from vidcls.predict.output import table_line
    from vidcls.predict.overlay import write_overlay
    from vidcls.video import DecoderFallbackWarning

    has_windows = options.window_seconds is not None
    path_width = min(60, max(len(visible(str(job.video))) for job in jobs))
    found = _Found()
    is_narrow = has_windows and sys.stdout.isatty() and shutil.get_terminal_size().columns < NARROW_COLUMNS
    num_shown = options.top_k or (NARROW_TOP_K if is_narrow else TOP_K)

    def take(prediction: Prediction) -> None:
        line = table_line(prediction, top_k=num_shown, path_width=path_width, with_time=has_windows)
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()
        if file is not None:
            file.add(prediction)

    for job in tqdm(jobs, unit="video", leave=False, disable=True if len(jobs) == 1 else None):  # None: on terminals
        num_rows, overlap = 0, 0.0
        before: Prediction | None = None
        kept: list[Prediction] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", DecoderFallbackWarning)
                shown = nullcontext(job.video) if job.overlay is None else predictor.open(job.video)
                with shown as video, tqdm(unit="window", leave=False, disable=None if has_windows else True) as bar:
                    for prediction in _predicted(predictor, video, options, bar.reset):
                        take(prediction)
                        bar.update()
                        overlap = before.end_seconds - prediction.start_seconds if before is not None else 0.0
                        before = prediction
                        num_rows += 1
                        if job.overlay is not None:
                            kept.append(prediction)
                    if job.overlay is not None:
                        bar.close()
                        write_overlay(video, kept, job.overlay, decoder=predictor.input_settings.decoder)
        except (DecodeError, DatasetError) as error:
            if len(jobs) == 1:
                raise
            earlier = f" (after {num_rows} windows, which are kept)" if has_windows and num_rows else ""
            found.failures.append((job.video, f"{error}{earlier}"))
            continue
        if has_windows and options.hop_seconds is None and overlap > LEAST_OVERLAP_SECONDS:
            length = f"{overlap:.2f} s"
            say(f"{job.video}: the last window begins {length} before the end of the one before it", file=sys.stderr)
        for warning in caught:
            if issubclass(warning.category, DecoderFallbackWarning):
                found.fallbacks[str(warning.message)] = None
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found


def _predicted(
    predictor: Predictor, video: AnyVideo | Video, options: Namespace, progress: Callable[[int], object]
) -> Iterator[Prediction]:
    if options.window_seconds is None:
        yield predictor(video)
    else:
        yield from predictor.each_window(video, options.window_seconds, options.hop_seconds, progress=progress)
