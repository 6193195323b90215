"""``vidcls sweep``: a configuration -> trainings with other settings, and one test of those that validate best."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.option_names import check_options, check_videos, refuse_strays
from vidcls.cli.words import Words
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.runs.folder import check_name
from vidcls.settings_file import parse_json, read_json
from vidcls.sweep.space import (
    Choice,
    Range,
    corners,
    default_space,
    options_of,
    plain_space,
    read_space,
)
from vidcls.sweep.study import Pruner, Sampler, check_installed

if TYPE_CHECKING:
    from jsonargparse import Namespace as Config

    from vidcls.sweep.trial import Execute, Objective

DESCRIPTION = """Train a configuration with many settings, choose those that validate best, and test them once.

  vidcls sweep single_frame --trials 20 --run runs/swept
  vidcls sweep two_stream --trials 40 --space space.yaml --run runs/swept --processes 2 --pruner hyperband
  vidcls sweep single_frame --trials 20 --run runs/swept --data video_folder --data.dataset.root my_videos --folds 3

What is tried stands in a YAML file, a line for each option:
  model.optimization.lr: {low: 0.0001, high: 0.1, log: true}
  data.batch_size: [8, 16, 32]
Without one: the learning rate, the weight decay and the dropout. Options --data..., --model.... and --trainer... go to
every trial. Nothing is chosen on the test split: trials read the training and the validation split alone (with
--folds K: K folds of both by group), and the test runs once, for the best, when all trials have ended.

Given again, the command goes on where it was stopped; a trial that ended is not repeated, and with a larger --trials
more are made. Written to the folder: sweep.csv, importances.csv and sweep.png, trials/<number> and winner, each a run.

Exit status: 0 done, 1 some trials failed, 2 bad input or all failed."""
SETTINGS_FILE = "sweep.json"
DATABASE = "sweep.db"
TRIALS = "trials"
PASSED_ON = ("--data", "--model", "--trainer", "--monitor", "--seed_everything")
INSTEAD = {
    "--data.val_folds": "--folds K makes all folds",
    "--data.val_fold": "--folds K makes all folds",
    "--trainer.default_root_dir": "--run DIR says where trials lie",
    "--model": "pass a configuration with another model",
}


def main(argv: list[str], *, execute: Execute | None = None) -> int:
    """Make the trials; returns the exit status.

    Args:
        argv: the words behind ``vidcls sweep``.
        execute: runs one command; default: in a process of its own.

    Raises:
        VidclsError: bad options, a space that does not fit, a folder of another sweep, or all trials failed.
    """
    options, passed_on = _parsed(argv)
    check_installed()
    space = read_space(options.space) if options.space is not None else None
    arguments = ["--config", options.config, *passed_on]
    given = {word.option.lstrip("-").rstrip("+") for word in Words(passed_on)}
    for name in space or ():
        if name in given:
            raise ConfigurationError(f"--{name}: is in the space of the sweep too: remove it from one of them")
        if f"--{name}" in INSTEAD:
            raise ConfigurationError(f"{options.space}: {name}: {INSTEAD[f'--{name}']}")
    words = Words([*arguments, *(options_of(corners(space)[0]) if space else [])])
    refuse_strays(words)
    check_options(with_one_dataset(words))
    check_videos(words)
    from vidcls.folder_lock import FolderLock
    from vidcls.sweep.trial import check_none_is_lost

    check_none_is_lost(options.run)
    with FolderLock(options.run):
        return _sweep(options, arguments, space, execute)


def _sweep(
    options: Namespace, arguments: list[str], wanted: dict[str, Range | Choice] | None, execute: Execute | None
) -> int:
    from vidcls.files import write_text
    from vidcls.sweep.study import Study
    from vidcls.sweep.sweep import Sweep, SweepSettings
    from vidcls.sweep.trial import TrialPlan, execute_in_process

    arguments = Words([*arguments, "--trainer.enable_progress_bar", "false"]).arguments
    space, objective, num_epochs = _checked(arguments, wanted, options)
    record = {
        "arguments": arguments,
        "space": plain_space(space),
        "monitor": objective.monitor,
        "folds": options.folds,
    }
    _check_same(options.run, record)
    for name, entry in space.items():
        _say(f"trying {name}: {_said(entry)}")
    study = Study(
        options.run / DATABASE,
        space,
        maximises=objective.maximises,
        sampler=options.sampler,
        pruner=options.pruner,
        num_steps=options.folds or num_epochs,
        seed=options.seed,
    )
    write_text(options.run / SETTINGS_FILE, json.dumps(record, indent=1) + "\n")
    num_threads = max(1, (os.cpu_count() or 1) // options.processes) if options.processes > 1 else None
    sweep = Sweep(
        options.run,
        study,
        space,
        TrialPlan(tuple(arguments), options.run / TRIALS, objective, options.folds, options.run.name),
        SweepSettings(options.trials, options.processes, options.keep == "all", not options.no_test),
        execute=execute or execute_in_process(num_threads, options.run.name),
        say=_say,
    )
    failed = [trial for trial in sweep.run() if trial.state == "failed"]
    for trial in failed:
        say(f"failed: trial {trial.number}: {trial.error}", file=sys.stderr)
    return 1 if failed else 0


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("sweep", DESCRIPTION)
    add = parser.add_argument
    add("config", metavar="CONFIG", help="a configuration, by name or file, as of vidcls fit --config")
    add("--trials", type=positive_count, metavar="N", help="number of trials, including those of earlier starts")
    add("--space", type=Path, metavar="FILE", help="what is tried (default: learning rate, weight decay, dropout)")
    add("--run", type=Path, metavar="DIR", help="the folder of the sweep")
    add("--folds", type=positive_count, metavar="K", help="validate in K folds of train and val (default: the split)")
    add("--processes", type=positive_count, default=1, metavar="P", help="trials at once (default 1)")
    add("--pruner", choices=get_args(Pruner), default="median", help="which trials are stopped early (default median)")
    add("--sampler", choices=get_args(Sampler), default="tpe", help="how values are drawn (default tpe)")
    add("--seed", type=int, default=0, metavar="S", help="of the sampler (default 0); --seed_everything is of fit")
    add("--keep", choices=("best", "all"), default="best", help="whose weights are kept (default best)")
    add("--no_test", action="store_true", help="leave the test for later, for example if more trials are to follow")
    if any(word in ("-h", "--help") for word in argv):
        parser.parse_args(["--help"])
    config = [argv[0]] if argv and not argv[0].startswith("-") else []
    known, passed_on = parser.parse_known_args([*(config or ["-"]), *argv[len(config) :]])
    for word in Words(passed_on):
        option = word.option.rstrip("+")
        if option in INSTEAD:
            raise ConfigurationError(f"{option}: {INSTEAD[option]}")
        if option and option.partition(".")[0] not in PASSED_ON:
            parser.error(f"unrecognized arguments: {option}")
    if not config:
        raise ConfigurationError("sweep: the configuration comes first: vidcls sweep CONFIG --trials N --run DIR")
    for name, value in (("--trials N", known.trials), ("--run DIR", known.run)):
        if value is None:
            raise ConfigurationError(f"sweep: pass {name}: vidcls sweep CONFIG --trials N --run DIR")
    check_name(known.run.name)
    if known.folds == 1:
        raise ConfigurationError("--folds 1: at least 2 folds are needed; without --folds: the split of the data set")
    return known, passed_on


def _checked(
    arguments: Sequence[str], wanted: dict[str, Range | Choice] | None, options: Namespace
) -> tuple[dict[str, Range | Choice], Objective, int]:
    """The space, what is optimised, and the epochs of a trial; every limit and choice is one that ``fit`` takes.

    Raises:
        ConfigurationError: one is not.
        DatasetError: the data set cannot be cut into the folds.
    """
    from vidcls.cli.accelerator import check_accelerator
    from vidcls.cli.resolved_config import plain, resolved_fit
    from vidcls.compare.settings import has_epochs
    from vidcls.loading.from_config import videos_of
    from vidcls.sweep.trial import Objective
    from vidcls.tasks import task_class

    resolved = resolved_fit(arguments)
    check_accelerator(resolved.trainer.accelerator)
    settings = plain(resolved)
    assert isinstance(settings, dict)
    space = wanted or _default(resolved, has_epochs=has_epochs(settings))
    for values in corners(space):
        resolved_fit([*arguments, *options_of(values)])
    monitor = resolved.monitor or f"val/{task_class(resolved.data.task).main_metric}"
    if not monitor.startswith("val/"):
        raise ConfigurationError(f"--monitor {monitor}: a sweep chooses by validation: pass val/...")
    if options.folds is not None:
        data = settings["data"]
        for fold in range(options.folds):
            videos_of({**data, "val_folds": options.folds, "val_fold": fold})
    return space, Objective(monitor, maximises="loss" not in monitor), int(resolved.trainer.max_epochs or 1)


def _default(resolved: Config, *, has_epochs: bool) -> dict[str, Range | Choice]:
    arguments = resolved.model.init_args
    optimization = arguments.get("optimization")
    if not has_epochs or optimization is None:
        raise ConfigurationError(
            "this model is not trained by gradient descent, so that there is no default space: pass --space FILE"
        )
    return default_space(float(optimization.get("lr")), has_dropout="dropout" in arguments)


def _check_same(folder: Path, record: dict[str, object]) -> None:
    """Refuse to go on with other settings, whose trials would not compare."""
    file = folder / SETTINGS_FILE
    if not file.is_file():
        return
    before = read_json(file)
    odd = [key for key, value in record.items() if before.get(key) != parse_json(json.dumps(value))]
    if odd:
        raise ConfigurationError(
            f"{folder}: has a sweep with another {odd[0]} ({_short(before.get(odd[0]))}, now "
            f"{_short(record[odd[0]])}): pass the same again, or name another --run"
        )


def _short(value: object) -> str:
    text = " ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _said(entry: Range | Choice) -> str:
    if isinstance(entry, Choice):
        return " | ".join(map(str, entry.values))
    how = " (log)" if entry.log else f" in steps of {entry.step:g}" if entry.step else ""
    return f"{entry.low:g} to {entry.high:g}{how}"


def _say(line: str) -> None:
    say(line)
    sys.stdout.flush()
