"""``--segments`` of ``vidcls predict``: the options -> how scores become segments, and a file for each video."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.cli.argument_parser import positive_count, positive_seconds
from vidcls.errors import ConfigurationError

if TYPE_CHECKING:
    from vidcls.predict.segments import SegmentSettings

SMOOTHINGS = ("median", "mean", "none")
SMOOTHING: Literal["median"] = "median"
NUM_WINDOWS, ENTER, LEAVE = 3, 0.5, 0.4
SUFFIXES = {"csv": ".csv", "cvat": ".xml", "fiftyone": ".json"}
TUNING = (
    "segment_format",
    "segment_smoothing",
    "segment_smoothing_windows",
    "segment_enter",
    "segment_leave",
    "segment_shortest_seconds",
)


def add_segment_options(parser: ArgumentParser) -> None:
    """``--segments`` and what belongs to it."""
    add = parser.add_argument
    add(
        "--segments",
        type=Path,
        metavar="FILE",
        help="with --window_seconds: write start,end,label,score of each part that shows one class to this .csv file "
        "(.xml is for CVAT, .json for FiftyOne), or into a folder, which several videos need",
    )
    add(
        "--segment_format",
        choices=tuple(SUFFIXES),
        help="of the files in a folder (default csv): cvat is CVAT for video 1.1, fiftyone its temporal detections",
    )
    add("--segment_smoothing", choices=SMOOTHINGS, help=f"of the scores of neighbouring windows (default {SMOOTHING})")
    add(
        "--segment_smoothing_windows",
        type=positive_count,
        metavar="N",
        help=f"windows that are smoothed together, an odd number (default {NUM_WINDOWS})",
    )
    add("--segment_enter", type=float, metavar="P", help=f"score at which a segment begins (default {ENTER:g})")
    add("--segment_leave", type=float, metavar="P", help=f"score below which it ends (default {LEAVE:g})")
    add(
        "--segment_shortest_seconds",
        type=positive_seconds,
        metavar="S",
        help="shorter segments are dropped, and shorter gaps closed (default: half a window)",
    )


def check_segment_options(parser: ArgumentParser, options: Namespace) -> None:
    """Refuse what means nothing together.

    Raises:
        ConfigurationError: names the options.
    """
    if options.segments is None:
        for name in TUNING:
            if getattr(options, name) is not None:
                parser.error(f"--{name} needs --segments")
        return
    if options.window_seconds is None:
        parser.error("--segments needs --window_seconds")
    if options.engine != "local":
        parser.error("--segments are found in this process: remove --engine")
    num_windows = options.segment_smoothing_windows
    if num_windows is not None and num_windows % 2 == 0:
        parser.error(f"--segment_smoothing_windows {num_windows}: expected an odd number")
    if num_windows is not None and options.segment_smoothing == "none":
        parser.error("--segment_smoothing none takes no --segment_smoothing_windows")
    enter, leave = _thresholds(options)
    if not 0 < leave <= enter <= 1:
        parser.error(
            f"--segment_enter is {enter:g} and --segment_leave {leave:g}; both must be above 0 and at most 1, and "
            "leave not above enter"
        )


def segment_settings(options: Namespace) -> SegmentSettings:
    """What the options say, with the defaults where they say nothing."""
    from vidcls.predict.segments import SegmentSettings

    enter, leave = _thresholds(options)
    shortest = options.segment_shortest_seconds
    return SegmentSettings(
        options.segment_smoothing or SMOOTHING,
        options.segment_smoothing_windows or NUM_WINDOWS,
        enter,
        leave,
        options.window_seconds / 2 if shortest is None else shortest,
    )


def none_found(path: Path, options: Namespace, highest: float) -> str:
    """Why a file of segments is empty, as far as it can be told."""
    enter, _ = _thresholds(options)
    reason = "too short" if highest >= enter else f"below --segment_enter {enter:g}"
    return f"vidcls: {path}: no segment was found: the highest score of a class is {highest:.3f}, {reason}"


def segment_paths(options: Namespace, videos: Sequence[Path | str]) -> list[Path | None]:
    """The file to write for each video.

    Raises:
        ConfigurationError: it cannot be written, or there is one file for several videos.
    """
    from vidcls.outputs import check_place
    from vidcls.predict.inputs import local_files, names_below_common_folder

    wanted = options.segments
    if wanted is None:
        return [None] * len(videos)
    names_file = bool(wanted.suffix) and not wanted.is_dir()
    if names_file and len(videos) > 1:
        raise ConfigurationError(f"--segments {wanted}: there are {len(videos)} videos; pass a folder for all of them")
    if names_file and wanted.suffix.lower() not in SUFFIXES.values():
        raise ConfigurationError(
            f"--segments {wanted}: suffix is {wanted.suffix!r}; allowed are {', '.join(SUFFIXES.values())}, or a "
            "folder without a suffix"
        )
    suffix = SUFFIXES[options.segment_format or "csv"]
    if names_file and options.segment_format is not None and wanted.suffix.lower() != suffix:
        raise ConfigurationError(
            f"--segments {wanted}: --segment_format {options.segment_format} has the suffix {suffix}"
        )
    paths = [wanted] if names_file else [wanted / f"{name}{suffix}" for name in names_below_common_folder(videos)]
    for path in paths:
        check_place(path, local_files(videos), option="--segments")
    return [*paths]


def _thresholds(options: Namespace) -> tuple[float, float]:
    enter = ENTER if options.segment_enter is None else options.segment_enter
    return enter, min(LEAVE, enter) if options.segment_leave is None else options.segment_leave
