"""``vidcls models``: the models, what each is, and the configurations that train it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from shutil import get_terminal_size

from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.class_help import first_sentence
from vidcls.cli.option_names import MODELS
from vidcls.cli.signatures import docstring_in, exported
from vidcls.errors import ConfigurationError
from vidcls.spelling import did_you_mean, same_name

DESCRIPTION = """The models, with the configuration that trains each, on the built-in videos unless --data says
otherwise, its parameters as configured there, and its paper.

  vidcls models
  vidcls models conv3d                      one of them
  vidcls fit --config single_frame          train one
  vidcls fit --model.help SingleFrame       what it takes
  vidcls summary single_frame               its layers
  vidcls backbones                          the networks that it can be built on"""


@dataclass(frozen=True)
class Row:
    """A model.

    Args:
        name: of its class.
        config: that trains it.
        num_parameters: as configured there, for the eight classes of its videos.
        paper: that it is from.
    """

    name: str
    config: str
    num_parameters: int
    paper: str


ROWS = (
    Row("SingleFrame", "single_frame", 33_496, "Karpathy et al. 2014, single frame"),
    Row("LateFusion", "late_fusion", 164_632, "Karpathy et al. 2014, late fusion"),
    Row("EarlyFusion", "early_fusion", 35_656, "Karpathy et al. 2014, early fusion"),
    Row("SlowFusion", "slow_fusion", 37_400, "Karpathy et al. 2014, slow fusion"),
    Row("Conv3D", "conv3d", 140_376, "Tran et al. 2015 (C3D); I3D, R(2+1)D, MC3, S3D, MViT, Swin3D"),
    Row("RecurrentConv", "recurrent_conv", 137_056, "Ballas et al. 2016 (GRU-RCN); CNN + GRU or LSTM"),
    Row("SlowFast", "slowfast", 213_658, "Feichtenhofer et al. 2019 (SlowFast)"),
    Row("TSM", "tsm", 33_496, "Lin et al. 2019 (TSM)"),
    Row("X3D", "x3d", 290_170, "Feichtenhofer 2020 (X3D)"),
    Row("MoViNet", "movinet", 53_286, "Kondratyuk et al. 2021 (MoViNet)"),
    Row("TwoStream", "two_stream", 68_864, "Simonyan and Zisserman 2014; TSN; two-stream I3D"),
    Row("AudioVisual", "audio_visual", 66_704, "Hershey et al. 2017 (VGGish), fused late"),
    Row("ThreeStream", "three_stream", 102_072, "as `TwoStream`, with sound"),
    Row("TwoStreamFusion", "two_stream_fusion", 76_600, "Feichtenhofer et al. 2016"),
    Row("Probe", "probe", 3_381_256, "Alain and Bengio 2016; Bardes et al. 2024 (attentive)"),
    Row("TwoStreamProbe", "two_stream_probe", 6_753_160, "as `Probe`, with optical flow"),
)


def main(argv: list[str]) -> int:
    """Print the list; returns the exit status.

    Raises:
        ConfigurationError: no model is called so.
    """
    parser = OneLineParser("models", DESCRIPTION)
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="of a model or its configuration")
    wanted = parser.parse_args(argv).name
    rows = [row for row in ROWS if not wanted or same_name(wanted, (row.name, row.config))]
    if not rows:
        names = [name for row in ROWS for name in (row.name, row.config)]
        hint = did_you_mean(wanted, names, otherwise="vidcls models lists all")
        raise ConfigurationError(f"{wanted}: no model is called so; {hint}")
    width = min(100, get_terminal_size((80, 24)).columns)
    print(f"{'name':17}{'configuration':19}{'parameters':>10}")
    for row in rows:
        print(f"{row.name:17}{row.config:19}{row.num_parameters:10,}")
        sentence = first_sentence(docstring_in(exported(MODELS)[row.name], row.name))
        for text in (sentence, row.paper):
            print("\n".join(textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")))
    print("\nvidcls fit --config NAME trains one; --model.help NAME of fit says what it takes")
    return 0
