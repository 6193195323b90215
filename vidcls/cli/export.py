"""``vidcls export``: a trained model -> one file that answers like it, for programs without vidcls or torch."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.named_model import MODEL_HELP, named_checkpoint
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.export.request import check_output, check_packages
from vidcls.packed_file import ENSEMBLE_SUFFIX

DESCRIPTION = """A trained model as one file: the network with its input stage (frames as they are decoded and cropped
go in, scores come out) and all that says how a video becomes its input. The file is compared with the checkpoint on the
test videos of the run before it is left, and refused where it answers otherwise.

  vidcls export best model.onnx
  vidcls export best model.onnx --precision int8
  vidcls export runs/two_stream model.pt2 --check new_video.mp4 --no_timing
  vidcls export runs/both both.zip            (an ensemble: an .onnx file for each member)

.onnx is for onnxruntime, also without torch (vidcls predict model.onnx VIDEO), .pt2 for torch.export and
AOTInductor."""


def main(argv: list[str]) -> int:
    """Write, compare and time the file; returns the exit status.

    Raises:
        VidclsError: bad options, no such model, a network that cannot be exported, or a file that answers otherwise.
    """
    parser = OneLineParser("export", DESCRIPTION)
    add = parser.add_argument
    add("model", metavar="MODEL", help=MODEL_HELP)
    add(
        "output",
        type=Path,
        metavar="OUT",
        help="the file, OUT.onnx or OUT.pt2, of an ensemble OUT.zip; one of that name is replaced",
    )
    add(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="of the network (default fp32); fp16 is half as large and for GPUs, int8 for CPUs and .onnx alone",
    )
    add(
        "--check",
        nargs="+",
        metavar="VIDEO",
        default=[],
        help="compare on these videos, or all of a folder (default: the run's test videos)",
    )
    add("--num_checked", type=positive_count, default=200, metavar="N", help="test videos at most (default 200)")
    add("--tolerance", type=_difference, metavar="X", help="largest difference of a score (default 1e-4, fp16 0.02)")
    add(
        "--calibrate",
        nargs="+",
        metavar="VIDEO",
        default=[],
        help="take the ranges of int8 from these (default: training videos of the run)",
    )
    add("--force", action="store_true", help="write int8 also where it loses more than 1 %% of the videos, or unknown")
    add("--no_timing", action="store_true", help="leave out the table of milliseconds, which takes a minute or more")
    options = parser.parse_args(argv)
    _check(options)
    checkpoint = named_checkpoint(options.model)
    from vidcls.outputs import check_place
    from vidcls.predict.inputs import find_videos, local_files

    checked, calibration = find_videos(options.check), find_videos(options.calibrate)
    check_place(options.output, [checkpoint, *local_files([*checked, *calibration])], option="OUT")

    def note(line: str) -> None:
        say(line, file=sys.stderr)

    note(f"exporting {checkpoint} to {options.output}")  # torch and the exporter take seconds to import
    from vidcls.export.ensemble import export_ensemble
    from vidcls.export.export import export
    from vidcls.export.table import lines, timing_lines
    from vidcls.export.timing import measure
    from vidcls.models.ensemble_file import is_ensemble

    if is_ensemble(checkpoint):
        for one in export_ensemble(
            checkpoint,
            options.output,
            precision=options.precision,
            videos=checked,
            num_checked=options.num_checked,
            tolerance=options.tolerance,
            say=note,
        ):
            for line in lines(one):
                say(line)
        say(f"wrote {options.output}: an .onnx file for each member ({options.output.stat().st_size / 1e6:.1f} MB)")
        return 0
    if options.output.suffix == ENSEMBLE_SUFFIX:
        raise ConfigurationError(
            f"{options.output}: suffix is '.zip', which is for ensembles: pass OUT.onnx or OUT.pt2"
        )
    found = export(
        checkpoint,
        options.output,
        precision=options.precision,
        videos=checked,
        calibration=calibration,
        num_checked=options.num_checked,
        tolerance=options.tolerance,
        is_forced=options.force,
        say=note,
    )
    for line in lines(found):
        say(line)
    if not options.no_timing:
        for line in timing_lines(measure(checkpoint, options.output, say=note), options.output.suffix):
            say(line)
    return 0


def _check(options: Namespace) -> None:
    """Refuse what no export could be, before torch is imported."""
    if options.output.suffix == ENSEMBLE_SUFFIX:
        check_packages()
    else:
        check_output(options.output, options.precision)
    for option, is_given in (("--calibrate", bool(options.calibrate)), ("--force", options.force)):
        if is_given and options.precision != "int8":
            raise ConfigurationError(
                f"{option} has no effect on {options.precision}: add --precision int8, or remove it"
            )


def _difference(text: str) -> float:
    """A number above 0 and below 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise ArgumentTypeError(f"{text!r} is not a difference of scores above 0 and below 1")
    return number
