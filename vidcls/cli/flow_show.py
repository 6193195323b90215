"""``vidcls flow show``: a video -> its optical flow as a video or a row of frames."""

from __future__ import annotations

from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_pixels
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.predict.inputs import video_file

DESCRIPTION = """The optical flow of a video: the frame, motion in x, motion in y, direction by colour, and arrows.

  vidcls flow show clip.mp4 --output flow.mp4
  vidcls flow show clip.mp4 --output flow.png --method farneback --bound 8

Beside the picture lies a .npz file with the fields of six places, in pixels per frame."""
DEFAULT_OUTPUT = Path("flow.png")
METHODS = ("dis", "farneback", "tvl1", "tvl1_opencv", "raft")


def main(argv: list[str]) -> int:
    """Compute and draw; returns the exit status.

    Raises:
        VidclsError: bad options, an unreadable video, or an output that cannot be written.
    """
    parser = OneLineParser("flow show", DESCRIPTION)
    add = parser.add_argument
    add("video", metavar="VIDEO", type=Path, help="the video")
    add(
        "--output",
        type=Path,
        default=DEFAULT_OUTPUT,
        metavar="FILE",
        help="a video (.mp4, .mov, .mkv) or a row of frames (.png) (default flow.png)",
    )
    add("--method", choices=METHODS, default="dis", help="how flow is computed (default dis)")
    add("--short_side", type=positive_count, metavar="PX", help="compute at this length of the shorter side")
    add("--bound", type=positive_pixels, metavar="PX", help="pixels per frame at full strength (default: by the video)")
    add("--weights", help="for raft: raft_small, raft_large or a file of weights")
    options = parser.parse_args(argv)
    options.video = video_file(str(options.video))
    from vidcls.flow.film import FILM_SUFFIXES, STRIP_SUFFIXES, write_flow_film
    from vidcls.flow.saturation import SaturationTally
    from vidcls.flow.settings import FlowSettings
    from vidcls.outputs import check_place
    from vidcls.video import open_video
    from vidcls.video.slow_motion import slowed_text
    from vidcls.video.writer import DEFAULT_FPS

    if options.output.suffix.lower() not in (*FILM_SUFFIXES, *STRIP_SUFFIXES):
        allowed = ", ".join((*FILM_SUFFIXES, *STRIP_SUFFIXES))
        raise ConfigurationError(
            f"--output {options.output}: suffix is {options.output.suffix!r}; allowed are {allowed}"
        )
    check_place(options.output, [options.video], option="--output")
    try:
        settings = FlowSettings(options.method, short_side_px=options.short_side, weights=options.weights)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    tally = SaturationTally()
    files = write_flow_film(options.video, options.output, settings, bound_px=options.bound, tally=tally)
    slowed = ""
    if options.output.suffix.lower() in FILM_SUFFIXES:
        with open_video(options.video) as video:
            slowed = slowed_text(video.num_frames - 1, video.fps or DEFAULT_FPS)
    say(f"wrote {files[0]}{slowed} and {files[1]}")
    if options.bound is not None and (found := tally.total()).is_high:
        print(found.describe(options.bound))
    return 0
