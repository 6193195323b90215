"""Configurations that name several data sets -> the same with the one that counts; it inherits nothing of others."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from vidcls.errors import ConfigurationError
from vidcls.settings_file import one_line, parse_yaml, read_yaml

SOURCES = ("--config", "-c", "--data")
# The data sets with the configurations that choose them, those that a user is most likely to mean first.
CONFIG_OF = {
    "VideoFolder": "video_folder",
    "VideoCsv": "video_csv",
    "UCF101": "ucf101",
    "HMDB51": "hmdb51",
    "Kinetics": "kinetics",
    "SomethingSomething": "something_something",
    "MovingShapes": "moving_shapes",
}
DATASET = ("--data.dataset", "--data.dataset.class_path")


def with_one_dataset(arguments: Sequence[str]) -> list[str]:
    """The arguments with every configuration of another data set than the chosen one rid of it.

    The parser would keep what both happen to have: the folder of a ``VideoFolder`` would become the folder that the
    paths in a ``VideoCsv`` are relative to.

    An option counts more than a ``--data`` file, and that more than a ``--config``; among equals the last one counts.

    Raises:
        ConfigurationError: see `check_options`.
    """
    words = [word for argument in arguments for word in _separated(argument)]
    pairs = list(zip(range(1, len(words)), words, words[1:], strict=False))
    contents = {k: _content(value) for k, option, value in pairs if option in SOURCES}
    by_option = [value for _, option, value in pairs if option in DATASET]
    by_data_file = [_name(contents[k].get("dataset")) for k, option, _ in pairs if option == "--data"]
    chosen = next((name.rpartition(".")[2] for name in reversed([*by_data_file, *by_option]) if name), "")
    in_configs = [_name(data.get("dataset")) for data in map(_data_of, contents.values()) if data]
    configured = next((name.rpartition(".")[2] for name in reversed(in_configs) if name), "")
    check_options(words, chosen or configured, is_named=bool(chosen))
    if not chosen:
        return list(arguments)
    for k, content in contents.items():
        data = content if words[k - 1] == "--data" else _data_of(content)
        if _name(data.get("dataset")).rpartition(".")[2] not in ("", chosen):
            del data["dataset"]
            words[k] = json.dumps(content)
    return words


def check_options(words: Sequence[str], dataset: str, *, is_named: bool) -> None:
    """Refuse options of another data set than the one that counts.

    Args:
        words: of the command line.
        dataset: the class that counts, without its module; empty where there is none.
        is_named: whether the user chose it with ``--data`` or ``--data.dataset``; else a configuration did.

    Raises:
        ConfigurationError: the data set has no such option but another has; or a folder is given for the synthetic
            videos of a configuration, by a user who most likely means their own.
    """
    from vidcls import datasets

    known = {name: getattr(datasets, name) for name in CONFIG_OF}
    if dataset not in known:
        return
    for option, value in zip(words, [*words[1:], ""], strict=True):
        option, equals, behind = option.partition("=")
        if not option.startswith(f"{DATASET[0]}.") or option in DATASET:
            continue
        name = option.removeprefix(f"{DATASET[0]}.").removeprefix("init_args.").partition(".")[0].rstrip("+")
        owners = [each for each, found in known.items() if name in inspect.signature(found).parameters]
        typed = f"{option} {behind if equals else value}"
        if dataset not in owners and owners:
            others = " or ".join(f"--data {CONFIG_OF[each]}" for each in owners)
            raise ConfigurationError(
                f"{option}: the data set here is {dataset}, which has no such option: choose another in the same "
                f"command ({others}), as in --data {CONFIG_OF[owners[0]]} {typed}"
            )
        if dataset == "MovingShapes" and name == "root" and not is_named:
            raise ConfigurationError(
                f"{typed}: the data set of this configuration is MovingShapes, built-in synthetic videos: for your own "
                f"videos: --data video_folder {typed}; to keep the synthetic ones there: --data moving_shapes {typed}"
            )


def is_dataset_named(arguments: Sequence[str]) -> bool:
    """Whether the command line itself says something of the data set, beyond what its configurations say."""
    options = [argument.partition("=")[0] for argument in arguments]
    return any(option == "--data" or option in DATASET or option.startswith(f"{DATASET[0]}.") for option in options)


def _data_of(content: Mapping[str, object]) -> dict[str, object]:
    """The data section of a configuration."""
    data = content.get("data")
    return data if isinstance(data, dict) else {}


def _separated(argument: str) -> list[str]:
    option, equals, value = argument.partition("=")
    return [option, value] if equals and option in (*SOURCES, *DATASET) else [argument]


def _content(value: str) -> dict[str, object]:
    """A configuration, given as a file or as text."""
    try:
        content = parse_yaml(value) if value.startswith("{") else read_yaml(Path(value))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{value}: cannot be read as YAML: {one_line(error)}") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError(
            f"{value}: is not a configuration: expected keys with values, found {str(content)[:60]!r}"
        )
    return content or {}


def _name(dataset: object) -> str:
    name = dataset.get("class_path") if isinstance(dataset, Mapping) else dataset
    return name if isinstance(name, str) else ""
