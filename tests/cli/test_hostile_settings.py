"""Settings of strangers that would keep a command busy or take all memory: one line, wherever a command reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., object]
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CONTENTS = {
    "aliases": (LAUGHS, "stands for more than"),
    "itself": ("data: &a {dataset: *a}", "stands within or before what it means"),
    "deep": ("data: " + "[" * 5000 + "]" * 5000, "is nested more than"),
    "digits": ("seed_everything: " + "9" * 5000, "has a number of more than"),
    "no date": ("name: 2001-99-99", "holds a value that cannot be read"),
}
# F is the hostile file, C a valid configuration.
PLACES = {
    "config": "fit --config F",
    "config of a test": "test --config F",
    "data": "fit --config C --data F",
    "trainer": "fit --config C --trainer F",
    "flow": "flow --config F --output flow",
    "summary": "summary F",
    "browse": "data browse F",
    "prepare": "data prepare F small",
    "check": "data check F",
}


@pytest.mark.parametrize(
    ("name", "place"), [*((name, "config") for name in CONTENTS), *(("aliases", place) for place in PLACES)]
)
def test_a_hostile_configuration_is_one_line(
    vidcls: Command, tiny: Path, tmp_path: Path, name: str, place: str
) -> None:
    content, words = CONTENTS[name]
    file = tmp_path / "theirs.yaml"
    file.write_text(content)
    stands_for = {"F": file, "C": tiny}
    line = vidcls(*(stands_for.get(word, word) for word in PLACES[place].split())).refusal()
    assert words in line
    assert "theirs.yaml" in line
    assert len(line) < 400


@pytest.mark.parametrize("name", ["aliases", "deep"])
def test_a_file_that_another_file_names_is_held_to_the_same(
    vidcls: Command, tiny: Path, tmp_path: Path, name: str
) -> None:
    """The parser reads it, not we."""
    (tmp_path / "theirs.yaml").write_text(CONTENTS[name][0])
    (tmp_path / "first.yaml").write_text("model: theirs.yaml\n")
    vidcls("fit", "--config", tiny, "--config", "first.yaml").refusal()
    vidcls("fit", "--config", tiny, "--model", "theirs.yaml").refusal()
    vidcls("fit", "--config", tiny, "--data.dataset", "theirs.yaml").refusal()


@pytest.mark.parametrize("name", CONTENTS)
def test_a_hostile_run_folder_is_one_line(vidcls: Command, run: Path, name: str) -> None:
    content, words = CONTENTS[name]
    (run / "config.yaml").write_text(content)
    for command in (
        ("test", "--run", run),
        ("features", run, "--device", "cpu"),
        ("fit", "--run", run, "--ckpt_path", "last"),
    ):
        assert words in vidcls(*command).refusal()


def test_json_of_a_run_that_is_nested_too_deep_is_one_line(vidcls: Command, run: Path) -> None:
    assert vidcls("test", "--run", run).status == 0
    test = json.loads((run / "test.json").read_text())
    (run / "test.json").write_text('{"class_names": ' + "[" * 100_000)
    assert "test.json" in vidcls("report", run).refusal()
    (run / "test.json").write_text(json.dumps(test))
    (run / "run.json").write_text("[" * 100_000)
    assert vidcls("report", run).status == 0
