"""YAML or JSON, from a file or as text -> plain values, within limits.

Nine lines of YAML can stand for a billion values, and brackets can be nested until Python gives up. So YAML is counted
as a stream of events, in which nothing is expanded, before values are made of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vidcls.errors import ConfigurationError

# A configuration has some 100 values, with the names of ImageNet's 21,841 classes 22,000 of 400,000 bytes.
MAX_YAML_BYTES = 2**20
MAX_YAML_VALUES = 50_000
MAX_YAML_DEPTH = 50
MAX_DIGITS = 500
MAX_JSON_BYTES = 2**28  # lists of videos are JSON as well; one of a million has 200 MB
Loaded = TypeVar("Loaded")
ObjectOf = Callable[[list[tuple[str, Any]]], object]
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What PyYAML raises besides its own errors, for values such as 2001-99-99 or !!bool maybe.
_NO_VALUE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class YamlLimitError(yaml.YAMLError):
    """YAML that is larger than any settings are, or has a value that is none."""


class JsonLimitError(ValueError):
    """JSON that is larger or deeper than any file of ours is."""


def read_settings(path: Path) -> dict[str, object]:
    """The keys and values of a configuration.

    Raises:
        ConfigurationError: the file cannot be read, or holds no mapping.
    """
    try:
        return settings_in(_text(path, MAX_YAML_BYTES, YamlLimitError), path)
    except (OSError, UnicodeDecodeError, YamlLimitError) as error:
        raise ConfigurationError(f"{path}: cannot be read as YAML: {one_line(error)}") from error


def settings_in(text: str, source: object) -> dict[str, object]:
    """The keys and values that YAML text stands for.

    Args:
        text: of a configuration.
        source: where it comes from, for the message.

    Raises:
        ConfigurationError: it is not YAML, passes a limit, or is not a mapping.
    """
    try:
        content = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: cannot be read as YAML: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{source}: expected keys with values, such as model: TwoStream; found {str(content)[:60]!r}"
        )
    return content


def section(settings: Mapping[str, object], name: str, source: object) -> dict[str, object]:
    """One section of a configuration.

    Raises:
        ConfigurationError: it is missing, or no mapping.
    """
    found = settings.get(name)
    if not isinstance(found, dict):
        raise ConfigurationError(f"{source}: has no section {name} with keys and values")
    return found


def one_line(error: BaseException) -> str:
    """What a parser complains about, without its line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def read_yaml(path: Path) -> object:
    """The plain values in a YAML file.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
        yaml.YAMLError: it is not YAML, or passes a limit.
    """
    return parse_yaml(_text(path, MAX_YAML_BYTES, YamlLimitError))


def parse_yaml(text: str) -> object:
    """The plain values that YAML text stands for.

    Raises:
        yaml.YAMLError: it is not YAML, or passes a limit.
    """
    return within_limits(text, yaml.safe_load)


def within_limits(text: str, load: Callable[[str], Loaded]) -> Loaded:
    """What ``load`` makes of YAML text that passes no limit.

    Raises:
        yaml.YAMLError: it is not YAML, or passes a limit.
    """
    check_yaml(text)
    try:
        return load(text)
    except _NO_VALUE as error:
        raise YamlLimitError(f"holds a value that cannot be read: {one_line(error)}") from error


def check_yaml(text: str) -> None:
    """Refuse YAML text that stands for more than settings do, in time that its own length bounds.

    Raises:
        YamlLimitError: with the limit.
        yaml.YAMLError: it is not YAML.
    """
    if len(text) > MAX_YAML_BYTES:
        raise YamlLimitError(f"has more than {MAX_YAML_BYTES:,} characters: put long lists into a csv file")
    num_values_of: dict[str, int] = {}  # by anchor, once its node has ended
    opened: list[tuple[str | None, int]] = []  # anchor, values so far
    for anchor, num_values, is_end in _nodes(text, num_values_of):
        if num_values is None:
            opened.append((anchor, 1))
            if len(opened) > MAX_YAML_DEPTH:
                raise YamlLimitError(f"is nested more than {MAX_YAML_DEPTH} deep")
            continue
        if is_end:
            anchor, num_values = opened.pop()
        if anchor is not None:
            num_values_of[anchor] = num_values
        if opened:
            outer, so_far = opened[-1]
            opened[-1] = (outer, so_far + num_values)
            if so_far + num_values > MAX_YAML_VALUES:
                raise YamlLimitError(f"stands for more than {MAX_YAML_VALUES:,} values: put long lists into a csv file")


def read_json(path: Path, *, max_bytes: int | None = None, object_of: ObjectOf | None = None) -> Any:
    """The plain values in a JSON file; what they must be, the caller knows.

    Args:
        path: in UTF-8, with or without a byte order mark.
        max_bytes: no larger file is read; by default the limit of all our files.
        object_of: makes an object of its names and values, in order; by default the last of two equal names counts.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON in UTF-8, or passes a limit.
    """
    return parse_json(_text(path, max_bytes or MAX_JSON_BYTES, JsonLimitError), object_of=object_of)


def parse_json(text: str | bytes, *, object_of: ObjectOf | None = None) -> Any:
    """The plain values that JSON text stands for.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=object_of)
    except RecursionError as error:
        raise JsonLimitError("is nested too deep") from error


def _text(path: Path, max_bytes: int, error: type[Exception]) -> str:
    with path.open("rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size or max_bytes  # a pipe has no size
        content = file.read(min(num_bytes, max_bytes) + 1)  # for so many Python takes memory at once
    if len(content) > max_bytes:
        raise error(f"has more than {max_bytes:,} bytes")
    return content.decode("utf-8-sig")


def _nodes(text: str, num_values_of: dict[str, int]) -> Iterator[tuple[str | None, int | None, bool]]:
    """Anchor, number of values (None where a list or mapping begins), and whether one ends."""
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.CollectionStartEvent):
            yield event.anchor, None, False
        elif isinstance(event, yaml.CollectionEndEvent):
            yield None, 0, True
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > MAX_DIGITS and event.value[0] in "+-.0123456789" and (event.implicit[0] or event.tag):
                raise YamlLimitError(f"has a number of more than {MAX_DIGITS} characters")
            yield event.anchor, 1, False
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in num_values_of:
                raise YamlLimitError(f"the alias *{event.anchor} stands within or before what it means")
            yield None, num_values_of[event.anchor], False
