"""YAML and JSON of strangers: what is larger than any settings are is refused before it is made."""

from __future__ import annotations

import ast
import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import vidcls
from vidcls import settings_file
from vidcls.errors import ConfigurationError
from vidcls.settings_file import (
    MAX_DIGITS,
    MAX_YAML_BYTES,
    MAX_YAML_DEPTH,
    MAX_YAML_VALUES,
    YamlLimitError,
    parse_json,
    parse_yaml,
    read_json,
    read_settings,
    read_yaml,
    section,
)

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def refusal(call: Callable[[], object], *errors: type[Exception]) -> str:
    """The message, for which little memory was taken."""
    tracemalloc.start()
    try:
        with pytest.raises(errors or yaml.YAMLError) as error:
            call()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 50e6
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 2.5, null, true]", {"a": 1, "b": ["x", 2.5, None, True]}),
        ("base: &base {lr: 1}\nother: {<<: *base, wd: 2}", {"base": {"lr": 1}, "other": {"lr": 1, "wd": 2}}),
        ("lr: !!float 1", {"lr": 1.0}),
        ("", None),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        (f"path: {'a' * (MAX_DIGITS + 1)}", {"path": "a" * (MAX_DIGITS + 1)}),
        (f"path: '{'1' * (MAX_DIGITS + 1)}'", {"path": "1" * (MAX_DIGITS + 1)}),
    ],
)
def test_settings_are_read_as_ever(tmp_path: Path, text: str, value: object) -> None:
    assert parse_yaml(text) == value
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == value


@pytest.mark.parametrize("text", [LAUGHS, MERGED], ids=["lists", "merged mappings"])
def test_a_few_lines_that_stand_for_a_billion_values_are_refused(text: str) -> None:
    assert len(text) < 600
    assert refusal(lambda: parse_yaml(text)).startswith(f"stands for more than {MAX_YAML_VALUES:,} values")


def test_as_many_values_as_a_large_data_set_has_classes_are_read() -> None:
    settings_file.check_yaml("class_names:\n" + "".join(f"- class {k}\n" for k in range(22_000)))


def test_depth_is_counted_before_anything_is_nested() -> None:
    deepest = "[" * MAX_YAML_DEPTH + "]" * MAX_YAML_DEPTH
    assert parse_yaml(deepest)
    for text in (f"[{deepest}]", "[" * 100_000, "{a: " * 100_000, "- " * 100_000):
        assert refusal(lambda text=text: parse_yaml(text)) == f"is nested more than {MAX_YAML_DEPTH} deep"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [*a]", "the alias *a stands within or before what it means"),
        ("a: &a {b: *a}", "the alias *a stands within or before what it means"),
        ("a: *b", "the alias *b stands within or before what it means"),
        (f"a: {'9' * (MAX_DIGITS + 1)}", f"has a number of more than {MAX_DIGITS} characters"),
        (f"a: 1{':59' * MAX_DIGITS}", f"has a number of more than {MAX_DIGITS} characters"),
        (f"a: !!int '1{':59' * MAX_DIGITS}'", f"has a number of more than {MAX_DIGITS} characters"),
        ("a: 2001-99-99", "holds a value that cannot be read"),
        ("a: !!bool maybe", "holds a value that cannot be read"),
        ("a: !!int one", "holds a value that cannot be read"),
        ("a: !!timestamp now", "holds a value that cannot be read"),
    ],
)
def test_what_is_no_value_is_said(text: str, words: str) -> None:
    assert words in refusal(lambda: parse_yaml(text), YamlLimitError)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(2**33)  # no room on the disk
    words = f"has more than {MAX_YAML_BYTES:,} bytes"
    assert refusal(lambda: read_yaml(tmp_path / "large.yaml")) == words
    line = refusal(lambda: read_settings(tmp_path / "large.yaml"), ConfigurationError)
    assert line == f"{tmp_path / 'large.yaml'}: cannot be read as YAML: {words}"
    assert (
        refusal(lambda: read_json(tmp_path / "large.yaml", max_bytes=1000), ValueError) == "has more than 1,000 bytes"
    )
    assert refusal(lambda: parse_yaml("#" * (MAX_YAML_BYTES + 1))).startswith(f"has more than {MAX_YAML_BYTES:,} char")


def test_json_that_is_nested_too_deep_is_said(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert refusal(lambda: read_json(tmp_path / "deep.json"), ValueError) == "is nested too deep"
    for text in ("{", "", "[1,]"):
        assert refusal(lambda text=text: parse_json(text), ValueError)
    (tmp_path / "good.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"ä": [1]}).encode())
    assert read_json(tmp_path / "good.json") == {"ä": [1]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", "cannot be read as YAML: while parsing a flow sequence"),
        (b"\xff\xfe", "cannot be read as YAML: 'utf-8' codec can't decode"),
        (b"a: \x00", "cannot be read as YAML: unacceptable character"),
        (b"- 1", "expected keys with values, such as model: TwoStream; found '[1]'"),
        (b"", "expected keys with values, such as model: TwoStream; found 'None'"),
        (LAUGHS.encode(), "cannot be read as YAML: stands for more than"),
    ],
)
def test_a_configuration_that_is_none_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    line = refusal(lambda: read_settings(file), ConfigurationError)
    assert line.startswith(f"{file}: {words}")
    assert "\n" not in line
    assert "no such file" in refusal(lambda: read_settings(tmp_path / "gone.yaml"), ConfigurationError).lower()


def test_a_section_that_is_missing_is_said() -> None:
    assert section({"data": {"a": 1}}, "data", "c.yaml") == {"a": 1}
    for settings in ({}, {"data": None}, {"data": [1]}):
        with pytest.raises(ConfigurationError, match=r"c\.yaml: has no section data with keys and values"):
            section(settings, "data", "c.yaml")


def test_no_other_file_reads_yaml_or_json_from_files() -> None:
    """A reader of its own would have no limits."""
    package = Path(vidcls.__file__).parent
    readers = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and re.fullmatch(r"(yaml\.(safe_)?load|json\.loads?)", ast.unparse(node.func))
    }
    assert readers <= {
        "settings_file.py",
        "compare/cost.py",
        "export/timing.py",
    }  # these read what their processes wrote
