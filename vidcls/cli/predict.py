"""``vidcls predict``: a checkpoint and videos -> a table, and where asked for a file of scores and labelled videos."""

from __future__ import annotations

import shutil
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_seconds
from vidcls.cli.named_model import OR_EXPORTED_HELP, model_for_videos
from vidcls.cli.overlay_option import overlay_paths
from vidcls.cli.part_options import add_part_options, chosen_part
from vidcls.cli.pool_options import add_engine_options, check_engine
from vidcls.cli.predict_elsewhere import predict_elsewhere
from vidcls.cli.predict_found import Found, PredictedFile, earlier_windows, is_soundless, say_overlap, told
from vidcls.cli.predict_live import add_live_options, check_live_options, run_live
from vidcls.cli.segment_options import (
    add_segment_options,
    check_segment_options,
    none_found,
    segment_paths,
    segment_settings,
)
from vidcls.console import say
from vidcls.errors import DatasetError, DecodeError, VidclsError
from vidcls.remote import origin_of
from vidcls.remote import shown as without_secrets

if TYPE_CHECKING:
    from vidcls.predict.output import PredictionFile
    from vidcls.predict.prediction import Prediction
    from vidcls.predict.scoring import VideoScorer
    from vidcls.video import Video
    from vidcls.video.source import AnyVideo

DESCRIPTION = """Label videos with a trained model, in the way in which its test scored videos.

  vidcls predict best new.mp4
  vidcls predict runs/two_stream clips 'more/*.mp4' --output scores.csv
  vidcls predict best long.mp4 --window_seconds 2 --output timeline.json --overlay labelled.mp4
  vidcls predict best new.mp4 --unknown      (trained with --model.decision.unknown, or an ensemble made with --unknown)
  vidcls predict model.onnx new.mp4          (a file of vidcls export, which needs no torch)

  vidcls predict best long.mp4 --window_seconds 2 --hop_seconds 0.5 --segments segments.csv
  vidcls predict best --source 0 --live --overlay window
  vidcls predict best --source rtsp://camera/live --live --allow-remote rtsp --output live.jsonl

  vidcls predict best clips --output scores.csv --engine ray --address auto --gpus_per_worker 1

Rows come as they are found; until all are there, --output scores.csv is called scores.partial.csv, which stays where
the command is interrupted.

Exit status: 0 all predicted, 1 some videos could not be read (listed at the end), 2 none could be
read, or bad input."""
TOP_K, NARROW_TOP_K, NARROW_COLUMNS = 5, 3, 100
TOP_K_HELP = "classes to show, best first (default 5; 3 of each window on a terminal narrower than 100 columns)"


def main(argv: list[str]) -> int:
    """Predict all videos; returns the exit status.

    Raises:
        VidclsError: nothing could be predicted: bad options, checkpoint or paths, or the only video cannot be read.
    """
    options = parsed(argv)
    if options.live:
        return run_live(options)
    from vidcls.predict.inputs import find_videos, local_files

    model = model_for_videos(options.checkpoint, options.videos, command="predict")
    videos = find_videos(options.videos)
    from vidcls.outputs import check_distinct
    from vidcls.predict.open_model import open_model
    from vidcls.predict.output import PredictionFile, check_output

    if options.output is not None:
        check_output(options.output, local_files(videos))
    overlays = overlay_paths(options.overlay, videos)
    segments = segment_paths(options, videos)
    check_distinct({"--output": [options.output], "--overlay": overlays, "--segments": segments})
    jobs = [PredictedFile(*places) for places in zip(videos, overlays, segments, strict=True)]
    is_local = options.engine == "local"
    predictor = open_model(model, device=options.device if is_local else "cpu", unknown=options.unknown)
    if options.output is None:
        return told(_predict_all(predictor, jobs, options, None), len(jobs))
    asked = origin_of(predictor.path)
    with PredictionFile(options.output, asked, predictor.class_names, top_k=options.top_k or TOP_K) as file:
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
    return told(found, len(jobs))


def parsed(argv: list[str]) -> Namespace:
    """The options; ConfigurationError where they cannot be."""
    parser = OneLineParser("predict", DESCRIPTION)
    add = parser.add_argument
    add("checkpoint", metavar="MODEL", help=OR_EXPORTED_HELP)
    add("videos", metavar="VIDEO", nargs="*", help="videos, folders of videos, or patterns in quotes")
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
    add_part_options(parser)
    add("--unknown", action="store_true", help="answer unknown where the largest probability is below what was chosen")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    parser.add_argument(
        "--num_workers",
        type=positive_count,
        metavar="N",
        help="on a cluster: most workers (default: all it has room for)",
    )
    add_segment_options(parser)
    add_live_options(parser)
    add_engine_options(parser)
    options = parser.parse_intermixed_args(argv)
    check_engine(options)
    if options.num_workers is not None and options.engine == "local":
        parser.error("--num_workers is for a cluster: without --engine ray this process predicts")
    if options.hop_seconds is not None:
        if options.window_seconds is None:
            parser.error("--hop_seconds needs --window_seconds")
        if options.hop_seconds > options.window_seconds:
            parser.error("--hop_seconds is longer than --window_seconds, which would leave parts out")
    options.part = chosen_part(parser, options)
    if options.part is not None and (options.window_seconds or options.live or options.overlay):
        parser.error("--start and --end choose one part of each video: remove --window_seconds, --live and --overlay")
    check_live_options(parser, options)
    check_segment_options(parser, options)
    if options.unknown and options.segments is not None:
        parser.error("--segments has a threshold of its own, --segment_enter: leave --unknown out")
    return options


def _predict_all(
    predictor: VideoScorer, jobs: Sequence[PredictedFile], options: Namespace, file: PredictionFile | None
) -> Found:
    """Print a line for each prediction, and write it to the file, as it comes.

    A video that cannot be read goes to the failures, and is raised where it is the only one.
    """
    from tqdm import tqdm

    from vidcls.console import visible
    from vidcls.predict.output import table_line
    from vidcls.predict.segment_file import write_segments
    from vidcls.predict.segments import Segment, SegmentFinder, in_order_of_time
    from vidcls.video import DecoderFallbackWarning

    has_windows = options.window_seconds is not None
    has_time = has_windows or options.part is not None
    path_width = min(60, max(len(visible(without_secrets(str(job.video)))) for job in jobs))
    found = Found()
    has_answer = not predictor.task.has_one_class
    is_narrow = has_windows and sys.stdout.isatty() and shutil.get_terminal_size().columns < NARROW_COLUMNS
    num_shown = options.top_k or (NARROW_TOP_K if is_narrow else TOP_K)

    def take(prediction: Prediction) -> None:
        line = table_line(
            prediction, top_k=num_shown, path_width=path_width, with_time=has_time, with_answer=has_answer
        )
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()
        if file is not None:
            file.add(prediction)

    todo: tqdm[PredictedFile] = tqdm(
        jobs, unit="video", leave=False, disable=True if len(jobs) == 1 else None
    )  # None: on terminals
    if options.engine != "local":
        with todo:
            return predict_elsewhere(predictor, jobs, options, take, found, todo.update)
    for job in todo:
        num_rows, overlap = 0, 0.0
        before: Prediction | None = None
        kept: list[Prediction] = []
        finder = (
            None
            if job.segments is None
            else SegmentFinder(segment_settings(options), several=not predictor.task.has_one_class)
        )
        segments: list[Segment] = []
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
                        if finder is not None:
                            segments += finder.add(prediction)
                        if job.overlay is not None:
                            kept.append(prediction)
                    if job.overlay is not None:
                        from vidcls.predict.overlay import write_overlay

                        bar.close()
                        write_overlay(video, kept, job.overlay, decoder=predictor.input_settings.decoder)
                if job.segments is not None and finder is not None:
                    segments += finder.finish()
                    segments = in_order_of_time(segments)
                    write_segments(job.segments, segments, video=job.video, class_names=predictor.class_names)
                    if not segments:
                        say(none_found(job.segments, options, finder.highest), file=sys.stderr)
        except (DecodeError, DatasetError) as error:
            if len(jobs) == 1:
                raise
            name = without_secrets(str(job.video))
            found.failures.append((name, f"{error}{earlier_windows(options, num_rows)}"))
            continue
        if is_soundless(predictor, job):
            found.soundless.append(without_secrets(str(job.video)))
        if has_windows and options.hop_seconds is None:
            say_overlap(without_secrets(str(job.video)), overlap)
        for warning in caught:
            if issubclass(warning.category, DecoderFallbackWarning):
                found.fallbacks[str(warning.message)] = None
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return found


def _predicted(
    predictor: VideoScorer, video: AnyVideo | Video, options: Namespace, progress: Callable[[int], object]
) -> Iterator[Prediction]:
    if options.window_seconds is None:
        yield predictor(video, part=options.part)
    else:
        yield from predictor.each_window(video, options.window_seconds, options.hop_seconds, progress=progress)
