"""Configurations that name several data sets -> the same with the one that counts; it inherits nothing of others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from vidcls.errors import ConfigurationError

SOURCES = ("--config", "-c", "--data")
DATASET = ("--data.dataset", "--data.dataset.class_path")


def with_one_dataset(arguments: Sequence[str]) -> list[str]:
    """The arguments with every configuration of another data set than the chosen one rid of it.

    The parser would keep what both happen to have: the folder of a ``VideoFolder`` would become the folder that the
    paths in a ``VideoCsv`` are relative to.

    An option counts more than a ``--data`` file, and that more than a ``--config``; among equals the last one counts.
    """
    words = [word for argument in arguments for word in _separated(argument)]
    pairs = list(zip(range(1, len(words)), words, words[1:], strict=False))
    contents = {k: _content(value) for k, option, value in pairs if option in SOURCES}
    by_option = [value for _, option, value in pairs if option in DATASET]
    by_data_file = [_name(contents[k].get("dataset")) for k, option, _ in pairs if option == "--data"]
    chosen = next((name.rpartition(".")[2] for name in reversed([*by_data_file, *by_option]) if name), "")
    if not chosen:
        return list(arguments)
    for k, content in contents.items():
        data = content if words[k - 1] == "--data" else content.get("data")
        if isinstance(data, dict) and _name(data.get("dataset")).rpartition(".")[2] not in ("", chosen):
            del data["dataset"]
            words[k] = json.dumps(content)
    return words


def _separated(argument: str) -> list[str]:
    option, equals, value = argument.partition("=")
    return [option, value] if equals and option in (*SOURCES, *DATASET) else [argument]


def _content(value: str) -> dict[str, object]:
    """A configuration, given as a file or as text."""
    try:
        content = yaml.safe_load(Path(value).read_text(encoding="utf-8") if not value.startswith("{") else value)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{value}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError(
            f"{value}: is no configuration: expected keys with values, found {str(content)[:60]!r}"
        )
    return content or {}


def _name(dataset: object) -> str:
    name = dataset.get("class_path") if isinstance(dataset, Mapping) else dataset
    return name if isinstance(name, str) else ""
