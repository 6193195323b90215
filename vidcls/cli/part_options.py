"""``--start`` and ``--end`` of ``vidcls predict`` and ``vidcls explain``: a part of each video."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace

from vidcls.video_part import VideoPart


def add_part_options(parser: ArgumentParser) -> None:
    """Both options."""
    parser.add_argument("--start", type=float, metavar="S", help="begin S seconds into the video (default: its start)")
    parser.add_argument("--end", type=float, metavar="S", help="end S seconds into the video (default: its end)")


def chosen_part(parser: ArgumentParser, options: Namespace) -> VideoPart | None:
    """The part; None for all of a video. A part that cannot be is an error of the parser."""
    if options.start is None and options.end is None:
        return None
    try:
        return VideoPart(options.start or 0.0, math.inf if options.end is None else options.end)
    except ValueError as error:
        parser.error(f"--start, --end: {error}")
        raise  # which it does
