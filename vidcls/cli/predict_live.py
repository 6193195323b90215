"""``vidcls predict MODEL --source S --live``: its options, what must not be combined, and the command itself."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import positive_seconds
from vidcls.cli.named_model import model_for_videos
from vidcls.console import say
from vidcls.errors import ConfigurationError, DecodeError
from vidcls.video_files import OVERLAY_SUFFIXES

if TYPE_CHECKING:
    from vidcls.live import LiveResult

WINDOW_SECONDS = 2.0
RECONNECT_SECONDS = 60.0
SCREEN = "window"
LOST = 1
TOP_K = 3


def add_live_options(parser: ArgumentParser) -> None:
    """``--source``, ``--live`` and what belongs to them."""
    add = parser.add_argument
    add("--live", action="store_true", help="score the newest window of --source as it comes, in place of videos")
    add(
        "--source",
        metavar="S",
        help="with --live: the number of a camera (0), an address (rtsp://, tcp://, udp://, http://) or a file, which "
        "is played at its own rate",
    )
    add("--duration_seconds", type=positive_seconds, metavar="S", help="with --live: end after S seconds")
    add(
        "--reconnect_seconds",
        type=positive_seconds,
        metavar="S",
        help=f"with --live: how long a lost source is tried again (default {RECONNECT_SECONDS:g})",
    )


def check_live_options(parser: ArgumentParser, options: Namespace) -> None:
    """Refuse what means nothing together.

    Raises:
        ConfigurationError: names the options.
    """
    if not options.live:
        for option in ("source", "duration_seconds", "reconnect_seconds"):
            if getattr(options, option) is not None:
                parser.error(f"--{option} needs --live; videos that are read as a whole stand behind the model")
        if not options.videos:
            parser.error("the following arguments are required: VIDEO (or --source S --live)")
        return
    if options.source is None:
        parser.error("--live needs --source: the number of a camera, an address or a file")
    if options.videos:
        parser.error(f"--live reads --source alone: remove {options.videos[0]}")
    if options.engine != "local" or options.num_workers is not None:
        parser.error("--live runs in this process: remove --engine and --num_workers")
    if options.segments is not None:
        parser.error("--segments is for videos that have an end: remove it, or --live")
    window_seconds = options.window_seconds or WINDOW_SECONDS
    if options.duration_seconds is not None and options.duration_seconds < window_seconds:
        parser.error(f"--duration_seconds is shorter than a window of {window_seconds:g} s: nothing would be scored")
    if options.output is not None and options.output.suffix.lower() != ".jsonl":
        parser.error(f"--output {options.output}: a stream is written as json lines; pass a file that ends in .jsonl")


def run_live(options: Namespace) -> int:
    """Score the newest window until the source ends; returns the exit status.

    Raises:
        VidclsError: bad input, or the source never gave a window.
    """
    from vidcls.live_place import live_place
    from vidcls.outputs import check_place

    place = live_place(options.source)
    files = [Path(place.target)] if place.kind == "file" else []
    has_screen = options.overlay is not None and str(options.overlay) == SCREEN
    if options.output is not None:
        check_place(options.output, files, option="--output", is_replaced=False)
    if has_screen:
        _check_screen()
    elif options.overlay is not None:
        _check_overlay(options.overlay)
        check_place(options.overlay, files, option="--overlay")
    checkpoint = model_for_videos(options.checkpoint, [], command="predict")

    from vidcls.live import Backoff, LiveStream, LiveTally, SlidingWindows, live_results
    from vidcls.live.lines import JsonLines, json_line, text_line
    from vidcls.live.live import check_deaf
    from vidcls.live.overlay import OverlayFile, OverlayWindow
    from vidcls.predict.ensemble_predictor import EnsemblePredictor
    from vidcls.predict.open_model import open_model

    scorer = open_model(checkpoint, device=options.device, unknown=options.unknown)
    if isinstance(scorer, EnsemblePredictor):
        scorer.refuse("--live")
    check_deaf(scorer.input_settings.streams)
    window_seconds = options.window_seconds or WINDOW_SECONDS
    windows = SlidingWindows(window_seconds, options.hop_seconds or window_seconds / 2)
    backoff = Backoff(give_up_seconds=options.reconnect_seconds or RECONNECT_SECONDS)
    stream = LiveStream(place, windows, say=_told, backoff=backoff)
    tally, lost = LiveTally(), None
    with ExitStack() as stack:
        lines = None if options.output is None else stack.enter_context(JsonLines(options.output))
        screen = OverlayWindow(lambda: stream.newest_frame) if has_screen else None
        file = None
        if options.overlay is not None and not has_screen:
            file = stack.enter_context(OverlayFile(options.overlay))

        def take(result: LiveResult) -> None:
            if lines is not None:
                lines.add(result)
            shown = json_line(result) if lines is None else text_line(result, top_k=options.top_k or TOP_K)
            say(shown)
            sys.stdout.flush()
            for overlay in (screen, file):
                if overlay is not None:
                    overlay.add(result)

        idle = None if screen is None else screen.show
        try:
            stack.enter_context(stream)
            for result in live_results(
                scorer, stream, windows, duration_seconds=options.duration_seconds, idle=idle, tally=tally
            ):
                take(result)
        except DecodeError as error:
            if not tally.num_windows:
                raise
            lost = error
        finally:
            if windows.num_frames:
                _told(f"{place.name}: {tally.text(windows, stream)}")
    if lost is not None:
        _told(str(lost))
        return LOST
    return 0


def _told(line: str) -> None:
    say(f"vidcls: {line}", file=sys.stderr)


def _check_overlay(path: Path) -> None:
    if path.suffix.lower() not in OVERLAY_SUFFIXES or path.is_dir():
        allowed = ", ".join(OVERLAY_SUFFIXES)
        raise ConfigurationError(f"--overlay {path}: pass {SCREEN}, or a file that ends in one of {allowed}")


def _check_screen() -> None:
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not has_screen:
        raise ConfigurationError(
            "--overlay window: there is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set); pass a file"
        )
