"""``vidcls compare``: configurations, or folders of runs -> which of the models is worth its cost."""

from __future__ import annotations

import argparse
import shlex
import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_seconds
from vidcls.errors import ConfigurationError

if TYPE_CHECKING:
    from vidcls.compare.cost import Measure
    from vidcls.compare.run import Execute

DESCRIPTION = """Train several configurations alike, test them, measure what each costs, and set them side by side.

  vidcls compare --config single_frame --config two_stream --output runs/compared --max_epochs 6
  vidcls compare --config a.yaml --config b.yaml --output compared --data my_videos.yaml --num_folds 5 --seeds 0 1 2
  vidcls compare --runs runs                                          trainings made by hand, once tested

Every configuration is trained with every seed (and every fold) on the same clips under the same budget. Given again,
the command goes on where it was stopped; a run that already exists is not repeated. Options --data..., --model.... and
--trainer... go to every run. Written to the folder: comparison.csv, .json, .md and .tex, accuracy_by_cost.png,
curves.png and curves.csv; each run has its folder below it, with its logs.

Exit status: 0 done, 1 some runs or measurements failed, 2 bad input."""
DEFAULT_SEEDS = (0, 1, 2)
DEFAULT_BATCH_SIZE = 8
OF_TRAINING = ("config", "names", "seeds", "num_folds", "max_epochs", "max_minutes", "flow", "output", "ckpt_path")
INSTEAD = {  # what would make the runs unlike each other, or is said by an option of ours
    "--data.fold": "--num_folds N runs all folds",
    "--data.num_folds": "--num_folds N runs all folds",
    "--data.flow": "--flow FOLDER gives it to the models that see flow",
    "--trainer.default_root_dir": "--output DIR says where the runs lie",
}
OURS = {
    "max_epochs": "--trainer.max_epochs",
    "max_minutes": "--trainer.max_time",
    "device": "--trainer.accelerator",
}


def main(argv: list[str], *, execute: Execute | None = None, measure: Measure | None = None) -> int:
    """Run the comparison; returns the exit status.

    Args:
        argv: the words behind ``vidcls compare``.
        execute: runs one command; default: in a process of its own.
        measure: measures one model; default: in a process of its own.

    Raises:
        VidclsError: bad options, configurations that cannot be compared, a run folder with other settings.
    """
    options, passed_on = _parsed(argv)
    from vidcls.folder_lock import FolderLock

    with FolderLock(options.runs or options.output):
        return _compare(argv, options, passed_on, execute=execute, measure=measure)


def _compare(
    argv: Sequence[str],
    options: Namespace,
    passed_on: Sequence[str],
    *,
    execute: Execute | None,
    measure: Measure | None,
) -> int:
    from vidcls.compare.comparison import write_comparison
    from vidcls.compare.cost import measure_in_process
    from vidcls.compare.run import execute_command

    started, date = time.monotonic(), datetime.now().isoformat(timespec="minutes")
    failures: list[str] = []
    if options.runs is None:
        failures = _train(options, passed_on, execute or execute_command)
    try:
        problems = write_comparison(
            options.runs or options.output,
            command=shlex.join(["vidcls", "compare", *argv]),
            date=date,
            wall_seconds=lambda: time.monotonic() - started,
            trains=options.runs is None,
            device=options.device,
            batch_size=options.cost_batch_size,
            measure=measure or measure_in_process,
            say=_say,
        )
    except ConfigurationError as error:
        if not failures:
            raise
        problems = [str(error)]
    for line in (*failures, *problems):
        _say(f"missing: {line}")
    return 1 if failures or problems else 0


def _parsed(argv: Sequence[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("compare", DESCRIPTION)
    add = parser.add_argument
    add("--config", "-c", action="append", default=[], help="A configuration, by name or file; once for each model.")
    add("--names", nargs="+", default=None, help="Their names in the table; those of the files.")
    add("--runs", type=Path, default=None, help="Compare the runs in this folder in place of training.")
    add("--output", type=Path, default=None, help="Folder of the comparison.")
    add("--seeds", type=int, nargs="+", default=None, help="One training for each (default: 0 1 2).")
    add("--num_folds", type=positive_count, default=None, help="Cross-validate: so many folds for each seed.")
    add("--max_epochs", type=positive_count, default=None, help="The budget of every training, in epochs.")
    add("--max_minutes", type=_minutes, default=None, help="The same in minutes: the first to end.")
    add("--flow", type=Path, default=None, help="Folder of stored flow, for the models that see flow.")
    add("--device", choices=("cpu", "cuda"), default=None, help="Train and measure there; as configured.")
    add("--ckpt_path", choices=("best", "last"), default=None, help="The checkpoint that is tested (default: best).")
    add(
        "--cost_batch_size",
        type=positive_count,
        default=DEFAULT_BATCH_SIZE,
        help="Clips in a batch of the measured throughputs and memory (default: 8).",
    )
    options, passed_on = parser.parse_known_args(list(argv))
    options_given = [word.partition("=")[0] for word in passed_on if word.startswith("--")]
    for option in options_given:
        section = option.removesuffix("+").partition(".")[0]
        if section not in ("--data", "--model", "--trainer"):
            raise ConfigurationError(
                f"{option}: unknown option; what all runs have in common is given by --data..., --model.... and "
                "--trainer..., what one model is by its configuration"
            )
        if option == "--model":
            raise ConfigurationError(
                "--model: all configurations would become one model: pass --model.NAME VALUE for an argument that all "
                "of them take, and --config for each model"
            )
        if option in INSTEAD:
            raise ConfigurationError(f"{option}: {INSTEAD[option]}")
    for name, option in OURS.items():
        if getattr(options, name) is not None and option in options_given:
            raise ConfigurationError(f"--{name} and {option} say the same: pass one of them")
    _check(options, passed_on)
    options.seeds = list(DEFAULT_SEEDS) if options.seeds is None else options.seeds
    options.ckpt_path = options.ckpt_path or "best"
    return options, passed_on


def _minutes(text: str) -> float:
    try:
        return positive_seconds(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0") from error


def _check(options: Namespace, passed_on: Sequence[str]) -> None:
    if options.runs is not None:
        given = [f"--{name}" for name in OF_TRAINING if getattr(options, name)] + list(passed_on)
        if given:
            raise ConfigurationError(f"{given[0]}: has no effect beside --runs, which trains nothing: remove it")
        if not options.runs.is_dir():
            raise ConfigurationError(f"--runs {options.runs}: no such folder")
        return
    if not options.config or options.output is None:
        raise ConfigurationError(
            "nothing to compare: pass --config A --config B ... with --output DIR, or --runs DIR with trained runs"
        )
    if options.num_folds == 1:
        raise ConfigurationError(
            "--num_folds 1: at least 2 folds are needed; without --num_folds: the split of the data set"
        )
    seeds = options.seeds or []
    if len(set(seeds)) < len(seeds) or any(seed < 0 for seed in seeds):
        raise ConfigurationError(f"--seeds {' '.join(map(str, seeds))}: pass different integers of at least 0")


def _train(options: Namespace, passed_on: Sequence[str], execute: Execute) -> list[str]:
    """Make every run that is not there yet; a line for each that failed."""
    from vidcls.cli.comparison_plan import plan_of
    from vidcls.compare.run import steps, take

    plan = plan_of(options, passed_on)
    for run in plan:
        steps(run, options.ckpt_path)  # refuses a folder that cannot be used, before anything is trained
    failures: list[str] = []
    for number, run in enumerate(plan, start=1):
        at = f"[{number}/{len(plan)}] {run.title}"
        todo = steps(run, options.ckpt_path)
        if not todo:
            _say(f"{at}: is there")
        for step in todo:
            _say(f"{at}: {step.title} ...")
            started = time.monotonic()
            error = take(step, run, execute)
            if error is not None:
                _say(f"{at}: failed: {error}")
                failures.append(f"{run.title}: {step.title}: {error}")
                break
            _say(f"{at}: {step.title} done in {time.monotonic() - started:.0f} s")
    return failures


def _say(line: str) -> None:
    print(line, flush=True)
