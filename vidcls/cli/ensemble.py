"""``vidcls ensemble``: trained and tested runs -> one run that answers by all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.named_model import RUN_HELP
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.runs.folder import CONFIG_FILE, check_name
from vidcls.runs.trained_model import run_named
from vidcls.tasks.decision import UnknownScore

DESCRIPTION = """Several tested runs as one: for each video their scores are averaged, or multiplied. The runs may
differ in everything but the task, the set of classes and the test list. The folder is a run like any other and holds
copies of their weights, so that it is all that is needed; its test is computed from their tests.

  vidcls ensemble runs/two_stream runs/probe --run runs/both
  vidcls ensemble runs/a runs/b runs/c --run runs/abc --rule product --weights validation
  vidcls ensemble runs/a runs/b --run runs/ab --unknown max_probability
  vidcls predict runs/both new_video.mp4

Then vidcls report and vidcls compare take it too. Nothing is chosen on the test videos: weights are equal, or those
with the least loss on the validation videos, whose scores every training keeps (validation.csv); a temperature and a
threshold for unknown videos are chosen there too."""


def main(argv: list[str]) -> int:
    """Make the run; returns the exit status.

    Raises:
        VidclsError: bad options, runs that do not fit together, or a folder that has something in it.
    """
    parser = OneLineParser("ensemble", DESCRIPTION)
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help=RUN_HELP)
    add("--run", type=Path, metavar="DIR", help="the folder of the new run")
    add("--rule", choices=("mean", "product"), default="mean", help="of the probabilities (default mean)")
    add(
        "--weights",
        choices=("equal", "validation"),
        default="equal",
        help="all alike, or those with the least loss on the validation videos (default equal)",
    )
    add(
        "--temperature_scaling",
        action="store_true",
        help="divide the logits of the joint answer by the temperature that suits the validation videos best",
    )
    add(
        "--unknown",
        choices=get_args(UnknownScore),
        help="choose a threshold for vidcls predict --unknown, on the validation videos",
    )
    add("--known_share", type=float, metavar="X", help="share of these that stays known (default 0.95)")
    options = parser.parse_intermixed_args(argv)
    if options.known_share is not None and options.unknown is None:
        parser.error("--known_share belongs to --unknown max_probability: add it")
    if options.known_share is not None and not 0 < options.known_share <= 1:
        parser.error(f"--known_share is {options.known_share}; it must lie above 0 and up to 1")
    if options.run is None:
        raise ConfigurationError("ensemble: the folder of the new run is missing: pass --run DIR")
    if len(options.runs) < 2:
        raise ConfigurationError("ensemble: an ensemble has two runs or more: pass RUN RUN ...")
    check_name(options.run.name)
    folders = [run_named(run) for run in options.runs]
    from vidcls.ensembles.make import make_ensemble
    from vidcls.ensembles.members import read_members
    from vidcls.new_folder import check_new, new_folder
    from vidcls.outputs import check_place
    from vidcls.training.decision_settings import DecisionSettings

    check_new(options.run, option="--run")
    check_place(options.run / CONFIG_FILE, [], option="--run")
    settings = DecisionSettings(options.temperature_scaling, options.unknown)
    if options.known_share is not None:
        settings = replace(settings, known_share=options.known_share)
    members = read_members(folders)
    with new_folder(options.run, option="--run"):
        make_ensemble(
            members,
            options.run,
            rule=options.rule,
            has_chosen_weights=options.weights == "validation",
            settings=settings,
            say=say,
        )
    say(f"next: vidcls report {options.run}")
    return 0
