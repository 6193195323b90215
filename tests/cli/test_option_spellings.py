"""One option has one spelling, and those of version 0.1 still work."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.cli import COMMANDS
from vidcls.cli.argument_parser import FORMER, spelled

Command = Callable[..., object]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_has_an_option_with_dashes(vidcls: Command, command: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[\w.-]+", vidcls(*command.split(), "--help").out))  # type: ignore[attr-defined]
    odd = {option for option in options if "-" in option[2:]}
    assert odd <= {"--allow-class", "--allow-remote"}
    assert not options & {former for former in FORMER if FORMER[former] in options}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_o_is_short_for_output_where_a_command_has_it(vidcls: Command, command: str) -> None:
    said = vidcls(*command.split(), "--help").out  # type: ignore[attr-defined]
    if "--output" not in said or command in ("demo", "flow"):
        return
    assert "-o FILE, --output FILE" in said or re.search(r"-o \S+, --output", said), said


@pytest.mark.parametrize(("was", "now"), FORMER.items())
def test_a_former_spelling_is_the_present_one_where_a_command_has_that(was: str, now: str) -> None:
    assert spelled([was, "3", f"{was}=4"], {now}) == [now, "3", f"{now}=4"]
    assert spelled([was, "3"], {"--other"}) == [was, "3"]
    assert spelled(["3", was.lstrip("-")], {now}) == ["3", was.lstrip("-")]


def test_a_command_takes_the_spellings_of_version_0_1(vidcls: Command, clip_folder: Path, tmp_path: Path) -> None:
    words = ["--short-side=24", "--workers", "1", "--bound", "8"]
    done = vidcls("flow", "--folder", str(clip_folder / "val"), "-o", str(tmp_path / "flow"), *words)
    assert (done.status, (tmp_path / "flow").is_dir()) == (0, True)  # type: ignore[attr-defined]
    words = ["--most-lines", "2", "--anew", "--time-limit", "9", "--workers=1"]
    assert "22 files opened" in vidcls("data", "check", str(clip_folder), *words).out  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "words",
    ["predict best.ckpt a.mp4 --overlay=", "data check clips --cache=", "report run --output=", "demo --output="],
)
def test_an_empty_value_as_of_a_shell_variable_is_refused(vidcls: Command, words: str) -> None:
    option = words.split()[-1].rstrip("=")
    for given in ([f"{option}="], [option, ""]):
        line = vidcls(*words.split()[:-1], *given).refusal()  # type: ignore[attr-defined]
        assert f"argument {option}: expected one argument" in line


@pytest.mark.parametrize("words", [["flow", "--output", "x", "--folder="], ["flow", "--folder", ".", "--output", ""]])
def test_flow_refuses_an_empty_folder(vidcls: Command, words: list[str]) -> None:
    assert ": expected one argument" in vidcls(*words).refusal()  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["check", "browse"])
def test_an_empty_name_of_a_data_set_is_not_the_current_folder(vidcls: Command, command: str) -> None:
    assert "the name of the data set is empty" in vidcls("data", command, "").refusal()  # type: ignore[attr-defined]
