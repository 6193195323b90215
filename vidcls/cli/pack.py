"""``vidcls pack``: a trained model -> one file or folder that a colleague can use."""

from __future__ import annotations

from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.named_model import MODEL_HELP, named_checkpoint
from vidcls.console import say
from vidcls.runs.trained_model import run_of

DESCRIPTION = """A trained model for a colleague: the weights without the state of the training, the settings, the
results of its test, and a README that says what to install and type. The folder, or the unpacked file, is used like a
run.

  vidcls pack best fall_detector.zip
  vidcls pack runs/two_stream fall_detector"""


def main(argv: list[str]) -> int:
    """Write the file or folder; returns the exit status.

    Raises:
        VidclsError: no such model, or the output exists.
    """
    parser = OneLineParser("pack", DESCRIPTION)
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("output", type=Path, metavar="OUT", help="a file that ends in .zip, or a folder; a new one")
    options = parser.parse_args(argv)
    checkpoint = named_checkpoint(options.model)
    from vidcls.predict.handover import hand_over

    hand_over(checkpoint, run_of(checkpoint), options.output, say=say)
    return 0
