"""``vidcls explain``: a checkpoint and a video -> heat laid on its frames; the order of time; the first kernels."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.named_model import MODEL_HELP, checkpoint_for_videos
from vidcls.cli.part_options import add_part_options, chosen_part
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.predict.inputs import video_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidcls.explain import Explainer
    from vidcls.video import Video, VideoSource

METHOD_NAMES = ("gradcam", "cam", "saliency", "integrated_gradients", "occlusion")
DESCRIPTION = """Why a model says what it says: where and when it looks for a class, laid on the video.

  vidcls explain best new.mp4 --output heat.mp4
  vidcls explain best new.mp4 --class wave --method cam --output frames.png
  vidcls explain best new.mp4 --over_time time.png       hide, shuffle and reverse time
  vidcls explain best --kernels kernels.png              the kernels of the first layers

Heat is found on the clips of the model's own test, in their centre crop. gradcam is for every model; cam for those that
end in global average pooling; saliency, integrated_gradients and occlusion are made at the input. Beside each picture
lies a file with its numbers (.npz or .csv)."""
DEFAULT_OUTPUT = Path("heat.png")


def main(argv: list[str]) -> int:
    """Explain; returns the exit status.

    Raises:
        VidclsError: bad options, checkpoint, class or layer, a method that does not fit, or an unreadable video.
    """
    options = _parsed(argv)
    if options.output is None and options.over_time is None and options.kernels is None:
        options.output = DEFAULT_OUTPUT
    given = [] if options.video is None else [options.video]
    checkpoint = checkpoint_for_videos(options.checkpoint, given, command="explain")
    options.video = video_file(options.video) if given else None
    _check_outputs(options)
    from vidcls.explain import Explainer

    explainer = Explainer(checkpoint, device=options.device)
    if options.kernels is not None:
        from vidcls.explain.kernels import write_kernels

        _say(write_kernels(explainer.model, options.kernels))
    if options.video is not None and (options.output is not None or options.over_time is not None):
        with explainer.open(options.video) as video:
            _explain(explainer, video, options)
    return 0


def _explain(explainer: Explainer, video: Video | VideoSource, options: Namespace) -> None:
    if options.output is not None:
        from vidcls.explain.pictures import FILM_SUFFIXES, write_heat
        from vidcls.video.slow_motion import slowed_text
        from vidcls.video.writer import DEFAULT_FPS

        explanation = explainer(
            video, method=options.method, class_name=options.class_name, layer=options.layer, part=options.part
        )
        say(
            f"{explanation.video}  {explanation.class_name} {explanation.score:.4f}  "
            f"(predicted: {explanation.prediction.answer})  heat: {', '.join(explanation.titles)}"
        )
        heat, numbers = write_heat(explanation, options.output, video)
        is_film = heat.suffix.lower() in FILM_SUFFIXES
        slowed = slowed_text(explanation.num_frames, explanation.fps or DEFAULT_FPS) if is_film else ""
        say(f"wrote {heat}{slowed} and {numbers}")
    if options.over_time is not None:
        from vidcls.explain.time_picture import write_time_effects

        class_name, effects = explainer.over_time(
            video, class_name=options.class_name, num_parts=options.num_parts, part=options.part
        )
        shuffled = sum(effects.shuffled) / len(effects.shuffled)
        say(
            f"{class_name} in the middle clip: {effects.whole:.4f}  reversed {effects.reversed:.4f}  "
            f"shuffled {shuffled:.4f}  least with a part hidden {min(effects.hidden):.4f}"
        )
        _say(write_time_effects(effects, class_name, options.over_time))


def _parsed(argv: list[str]) -> Namespace:
    parser = OneLineParser("explain", DESCRIPTION)
    add = parser.add_argument
    add("checkpoint", metavar="MODEL", help=MODEL_HELP)
    add("video", metavar="VIDEO", nargs="?", help="the video to explain")
    add("--method", choices=METHOD_NAMES, default="gradcam", help="how heat is found (default gradcam)")
    add("--class", dest="class_name", metavar="NAME", help="the class to explain (default: the most probable one)")
    add("--layer", metavar="NAME", help="of gradcam and cam: a layer of the model (default: the model's choice)")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="a video (.mp4, .mov, .mkv, .gif), or a row of frames (.png) (default heat.png)",
    )
    add("--over_time", type=Path, metavar="FILE", help="a plot (.png) of the score with parts of time hidden")
    add("--num_parts", type=positive_count, metavar="N", help="parts of time to hide (default: one for each frame)")
    add_part_options(parser)
    add("--kernels", type=Path, metavar="FILE", help="a picture (.png) of the first kernels, beside hand-made ones")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    options = parser.parse_args(argv)
    if options.video is None and (options.kernels is None or options.output or options.over_time):
        parser.error("pass a VIDEO to explain, or --kernels FILE")
    options.part = chosen_part(parser, options)
    if options.num_parts == 1:
        parser.error("--num_parts 1: the part would be all of time, with nothing to put in its place: pass 2 or more")
    return options


def _check_outputs(options: Namespace) -> None:
    """Refuse what could not be written in the end, before anything is computed."""
    from vidcls.explain.pictures import FILM_SUFFIXES, STRIP_SUFFIXES
    from vidcls.outputs import check_distinct, check_place

    wanted: list[tuple[str, Path | None, Sequence[str]]] = [
        ("--output", options.output, (*FILM_SUFFIXES, *STRIP_SUFFIXES)),
        ("--over_time", options.over_time, STRIP_SUFFIXES),
        ("--kernels", options.kernels, STRIP_SUFFIXES),
    ]
    for option, path, suffixes in wanted:
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            allowed = ", ".join(suffixes)
            raise ConfigurationError(f"{option} {path}: suffix is {path.suffix!r}; allowed are {allowed}")
        check_place(path, [] if options.video is None else [options.video], option=option)
    check_distinct({option: [path] for option, path, _ in wanted})


def _say(files: Sequence[Path]) -> None:
    say(f"wrote {' and '.join(str(file) for file in files)}")
