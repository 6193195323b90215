"""A configuration and the checkpoint or run that it goes on from -> nothing, or one error where they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from jsonargparse import Namespace

from vidcls.class_arguments import types_of
from vidcls.datasets import VideoDataset
from vidcls.datasets.checks import first_few
from vidcls.errors import CheckpointError, ConfigurationError, unlike
from vidcls.loading import VideoDataModule
from vidcls.models.build import import_class, import_model_class
from vidcls.models.checkpoint import CheckpointFacts
from vidcls.models.classifier import VideoClassifier
from vidcls.runs.dataset_identity import named_dataset
from vidcls.runs.folder import CONFIG_FILE
from vidcls.settings_file import read_settings

# What a test may look at differently than the training's own settings said; the crops of a test lie in the transform.
FREE_AT_TEST = ("streams", "test_clips", "score", "decoder", "short_videos", "test_crops")
FOLDS = {"num_folds": None, "fold": None, "fold_seed": 0}  # with what stands where an older run says nothing
CUT = ("val_fraction", "test_fraction", "seed", "group_pattern", "fold")  # which of its videos are in which split


def check_weights_are_given(model: Namespace, command: str) -> None:
    """Refuse to score a network that nobody trained."""
    model_class = import_class(model.class_path)
    assert issubclass(model_class, VideoClassifier)
    names = model_class.initial_weights
    if all(model.init_args.get(name) is None for name in names):
        others = f" (or one of --model.{', --model.'.join(names)})" if names else ""
        raise ConfigurationError(
            f"{command} needs trained weights: pass --ckpt_path best|last|FILE or --run DIR{others}"
        )


def check_against_checkpoint(facts: CheckpointFacts, config: Namespace) -> None:
    """Refuse a configuration that says another thing than the checkpoint: one of them would win in silence."""
    given = config.model
    given_class = _class_path(given.class_path)
    if given_class != facts.class_path:
        raise CheckpointError(
            f"{facts.path}: holds a {facts.class_path}, but the configuration asks for {given_class}: "
            "use the configuration that it was trained with, or none"
        )
    model_class = import_model_class(facts)
    trained = _completed(facts.model_arguments, model_class)
    not_compared = (*model_class.initial_weights, *model_class.learned_arguments)
    _compare("--model.", facts, trained, _plain(given.init_args), not_compared)
    if facts.input_settings is not None:
        settings = _completed(facts.input_settings, VideoDataModule)
        _compare("--data.", facts, settings, _plain(config.data), FREE_AT_TEST)
    if config.data.task not in (None, facts.task):
        raise CheckpointError(
            f"{facts.path}: was trained with --data.task {facts.task}, but {config.data.task} is asked for: remove it, "
            "or train another model"
        )
    names = config.data.class_names
    if names is not None and list(names) != list(facts.class_names):
        known, wanted = unlike(facts.class_names, names)
        raise CheckpointError(f"{facts.path}: knows the classes {known}, --data.class_names says {wanted}")


def check_against_run(run: Path, data: Namespace, *, is_named: bool) -> None:
    """Refuse another data set than the run was trained on, unless the user has named it, and other cuts of the same.

    A configuration brings a data set along, which the user may not mean; and of another cut, or another fold, the test
    split would hold videos of the training.

    Args:
        run: the folder of the run that the checkpoint belongs to.
        data: the data section of the command.
        is_named: whether the command line names the data set, beyond its configurations.

    Raises:
        ConfigurationError: names both.
    """
    file = run / CONFIG_FILE
    if not file.is_file():
        return
    trained = read_settings(file).get("data")
    now = _plain(data)
    if not isinstance(trained, dict):
        return
    had, asked = named_dataset(trained.get("dataset")), named_dataset(_as_yaml(now["dataset"]))
    if had is None or asked is None:
        return
    if had.text != asked.text:
        if is_named:
            return
        raise ConfigurationError(
            f"{run}: was trained on {had.text}, but the configuration asks for {asked.text}: remove --config to use "
            "the data set of the run, or name the one that you mean with --data"
        )
    for name in CUT:
        if name in had.arguments and name in asked.arguments and had.arguments[name] != asked.arguments[name]:
            raise ConfigurationError(
                f"{run}: was trained on {had.text} with {name} {had.arguments[name]}, but {asked.arguments[name]} is "
                "asked for: the splits would overlap; pass the same, or --run DIR without --config"
            )
    if any(trained.get(name, default) != now.get(name, default) for name, default in FOLDS.items()):
        folds, other_folds = (
            " ".join(f"--data.{name} {values[name]}" for name in FOLDS if values.get(name) not in (FOLDS[name], None))
            if values.get("fold") is not None
            else "no folds"
            for values in (trained, now)
        )
        raise ConfigurationError(
            f"{run}: was trained with {folds} of this data set, but {other_folds} is asked for: the splits would "
            "overlap; pass the same, or --run DIR without --config"
        )


def _completed(trained: Mapping[str, object], owner: type) -> dict[str, object]:
    """What a checkpoint says, with the defaults of those settings that did not exist yet when it was written."""
    try:
        hints = types_of(owner)
    except NameError:  # a class of the user's own, with types that it imports for a checker alone
        hints = {}
    completed: dict[str, object] = {}
    for name, value in trained.items():
        if isinstance(value, Mapping) and name in hints:
            for kind in (hints[name], *get_args(hints[name])):  # the settings themselves, or those or None
                if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                    value = {**_defaults(kind), **value}
        completed[name] = value
    return completed


def _defaults(settings: type) -> dict[str, object]:
    defaults: dict[str, object] = {}
    for item in dataclasses.fields(settings):
        if item.default is not dataclasses.MISSING:
            defaults[item.name] = list(item.default) if isinstance(item.default, tuple) else item.default
        elif item.default_factory is not dataclasses.MISSING:
            defaults[item.name] = item.default_factory()
    return defaults


def check_same_classes(facts: CheckpointFacts, dataset: VideoDataset) -> None:
    """Refuse to train on without some of the classes that the checkpoint knows: they would be forgotten in silence."""
    absent = [name for name in facts.class_names if name not in dataset.class_names]
    if absent:
        raise ConfigurationError(
            f"{facts.path}: knows the classes {first_few(absent)}, but {dataset.source or dataset.root} has no videos "
            "of them: add some, or train a new model without --ckpt_path"
        )


def dataset_of(data: Namespace) -> object:
    """The data set of the data section of a command, in plain types, as a configuration file has it."""
    return _as_yaml(_plain(data)["dataset"])


def _compare(
    prefix: str, facts: CheckpointFacts, trained: Mapping[str, object], given: Mapping[str, object], free: Sequence[str]
) -> None:
    for name, value in trained.items():
        if name in free or name not in given:
            continue
        now = given[name]
        if isinstance(value, Mapping) and isinstance(now, Mapping) and value.keys() == now.keys():
            _compare(f"{prefix}{name}.", facts, value, now, free)
        elif now != value and not (value is None or (now is None and isinstance(value, Mapping))):
            raise CheckpointError(
                f"{facts.path}: was trained with {prefix}{name} {value}, but {now} is asked for: "
                "remove it, or train another model"
            )
        elif value is None and now is not None:
            raise CheckpointError(
                f"{facts.path}: was trained without {prefix}{name}, but {now} is asked for: remove it"
            )


def _plain(config: Namespace) -> dict[str, object]:
    def simple(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: simple(item) for name, item in value.items()}
        return [simple(item) for item in value] if isinstance(value, list | tuple) else value

    return {name: simple(value) for name, value in config.as_dict().items()}


def _as_yaml(dataset: object) -> object:
    """A data set as the run's configuration has it, where paths are text."""
    if isinstance(dataset, Mapping):
        return {name: _as_yaml(item) for name, item in dataset.items()}
    return str(dataset) if isinstance(dataset, Path) else dataset


def _class_path(name: str) -> str:
    found = import_class(name)
    return f"{found.__module__}.{found.__qualname__}"
