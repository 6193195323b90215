"""The options of ``vidcls compare`` -> the runs that they mean, once it is sure that they can be compared."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from vidcls.cli.accelerator import check_accelerator
from vidcls.cli.resolved_config import plain, resolved_fit
from vidcls.cli.words import Words
from vidcls.compare.clips import check_same_videos
from vidcls.compare.plan import PlannedRun, planned_runs
from vidcls.compare.settings import (
    BUDGET,
    CONDITIONS,
    LINKED,
    NO_EFFECT_ON_RESULTS,
    OF_ONE_RUN,
    PLACES,
    first_difference,
    has_epochs,
    section,
)
from vidcls.errors import ConfigurationError
from vidcls.loading.from_config import videos_of
from vidcls.models import VideoClassifier
from vidcls.models.build import import_class
from vidcls.runs.folder import CONFIG_FILE, check_name
from vidcls.settings_file import read_yaml
from vidcls.types import sees


def plan_of(options: Namespace, passed_on: Sequence[str]) -> list[PlannedRun]:
    """The runs of a comparison.

    Args:
        options: of the command.
        passed_on: ``--data...`` and ``--trainer...`` options for every run.

    Raises:
        ConfigurationError: a configuration is wrong, two of them are about other clips or have another budget, or a
            run folder has other settings.
    """
    arguments = _arguments(options, passed_on)
    plan = planned_runs(arguments, options.output, seeds=options.seeds, num_folds=options.num_folds)
    _check_plan(plan, options.output)
    return plan


def _arguments(options: Namespace, passed_on: Sequence[str]) -> dict[str, list[str]]:
    """The arguments of ``vidcls fit`` by model, the same for all but for the configuration and the flow."""
    names = options.names or [Path(config).stem for config in options.config]
    if len(names) != len(options.config):
        raise ConfigurationError(f"--names: {len(names)} names for {len(options.config)} configurations: pass as many")
    for name in names:
        check_name(name)
        if names.count(name) > 1:
            raise ConfigurationError(f"two configurations are called {name}: tell them apart with --names A B ...")
    shared = [*passed_on, "--trainer.enable_progress_bar", "false"]
    if options.max_epochs is not None:
        shared += ["--trainer.max_epochs", str(options.max_epochs)]
    if options.max_minutes is not None:
        shared += ["--trainer.max_time", f'{{"seconds": {max(1, round(60 * options.max_minutes))}}}']
    if options.device is not None:
        shared += ["--trainer.accelerator", "gpu" if options.device == "cuda" else "cpu", "--trainer.devices", "1"]
    arguments: dict[str, list[str]] = {}
    sees_flow = False
    for name, config in zip(names, options.config, strict=True):
        words = Words(["--config", config, *shared]).arguments
        resolved = resolved_fit(words)
        check_accelerator(resolved.trainer.accelerator)
        model_class: type[VideoClassifier] = import_class(resolved.model.class_path)
        if options.flow is not None and sees(model_class.streams, "flow"):
            words += ["--data.flow", str(options.flow)]
            sees_flow = True
        arguments[name] = words
    if options.flow is not None and not sees_flow:
        raise ConfigurationError("--flow: none of these models sees flow: remove it")
    return arguments


def _check_plan(plan: Sequence[PlannedRun], output: Path) -> None:
    """Refuse what would not be a comparison: other clips, other budgets, other settings than a folder has already."""
    settings: dict[str, Mapping[str, object]] = {}
    for run in plan:
        if run.name not in settings:
            settings[run.name] = _as_mapping(plain(resolved_fit(run.arguments)))
    planned, (first_name, first) = dict(settings), next(iter(settings.items()))
    for file in sorted(output.glob(f"*/*/{CONFIG_FILE}")):
        there = _content(file)
        name = str(there.get("name"))
        if name not in planned:
            settings.setdefault(name, there)  # a model of an earlier comparison stays in the table
            continue
        where = first_difference(there, planned[name], free=_free(planned[name]))
        if where:
            raise ConfigurationError(
                f"{file.parent}: was trained with other settings: {where}: pass the same again, name another --output, "
                "or move that folder away"
            )
    trained = [(name, each) for name, each in settings.items() if has_epochs(each)]
    for name, other in settings.items():
        keys = CONDITIONS if has_epochs(other) else [key for key in CONDITIONS if key not in BUDGET]
        first_name, first = trained[0] if trained else (first_name, first)
        one, two = ({key: section(s, "trainer").get(key) for key in keys} for s in (first, other))
        where = first_difference(one, two, key="trainer")
        if where:
            raise ConfigurationError(
                f"{first_name} and {name} would be trained under different conditions: {where}: pass it for all of "
                "them, as in --max_epochs N, --max_minutes M, --device cpu"
            )
    check_same_videos({name: _first_fold(section(each, "data")) for name, each in settings.items()})
    for fold in {run.fold for run in plan} - {None}:
        videos_of(section(first, "data") | {"fold": fold})


def _first_fold(data: dict[str, object]) -> dict[str, object]:
    """The same data in its first fold, where it has folds."""
    return data | {"fold": 0} if data.get("num_folds") is not None else data


def _free(planned: Mapping[str, object]) -> list[str]:
    """What may differ between the plan of a model and the configuration in one of its run folders."""
    free = [*LINKED, *NO_EFFECT_ON_RESULTS, *OF_ONE_RUN, *PLACES]
    data = section(planned, "data")
    # A resumed training writes down what its checkpoint says of these, and each what its task chose to monitor.
    free += [f"data.{name}" for name in ("class_names", "flow_settings", "score", "task") if data.get(name) is None]
    return free + (["monitor"] if planned.get("monitor") is None else [])


def _content(config: Path) -> Mapping[str, object]:
    """The configuration in a run folder."""
    try:
        return _as_mapping(read_yaml(config))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise ConfigurationError(f"{config}: is not a configuration that vidcls wrote: move its folder away") from error


def _as_mapping(settings: object) -> Mapping[str, object]:
    if not isinstance(settings, Mapping):
        raise TypeError(f"expected keys with values, got {settings!r}")
    return settings
