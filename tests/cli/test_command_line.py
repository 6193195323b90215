"""The words behind ``vidcls``: help without delay, versions, and what is no command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls import __version__
from vidcls.cli import COMMANDS, main

Command = Callable[..., object]
HEAVY = ("torch", "lightning", "jsonargparse", "cv2", "sklearn", "wandb", "matplotlib", "decord", "av", "numpy")


def test_help_and_version_load_nothing_heavy() -> None:
    program = f"""
import sys
from vidcls.cli import main
assert main(["--help"]) == 0
assert main(["--version"]) == 0
assert main(["no-such-command"]) == 2
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_the_package_runs_as_a_module() -> None:
    for words, status, text in (
        (["--version"], 0, __version__),
        (["--help"], 0, "python -m vidcls COMMAND"),
        (["x"], 2, ""),
    ):
        done = subprocess.run([sys.executable, "-m", "vidcls", *words], capture_output=True, text=True)
        assert (done.returncode, text in done.stdout) == (status, True), done


def test_help_names_every_command(vidcls: Command) -> None:
    outcome = vidcls("--help")
    assert outcome.status == 0
    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in outcome.out
    assert vidcls().out == outcome.out
    assert vidcls().status == 2


def test_the_version_is_the_version(vidcls: Command) -> None:
    assert vidcls("--version").out == f"{__version__}\n"


def test_what_is_no_command_is_answered_with_those_that_are(vidcls: Command) -> None:
    line = vidcls("train", "--config", "two_stream").refusal()
    assert "unknown command 'train': did you mean fit? use one of demo, flow, data, probe, fit, validate, " in line


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(vidcls: Command, command: str) -> None:
    outcome = vidcls(*command.split(), "--help")
    assert outcome.status == 0
    assert "usage: " in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_takes_an_option_that_it_does_not_know(vidcls: Command, command: str) -> None:
    words = {
        "fit": ["--config", "two_stream"],
        "summary": ["two_stream"],
        "predict": ["a", "b"],
        "pack": ["a", "b"],
        "push": ["a", "b/c"],
        "pull": ["a/b"],
        "export": ["a", "b.onnx"],
        "serve": ["a"],
        "flow show": ["a"],
        "data check": ["single_frame"],
        "data browse": ["single_frame"],
        "data prepare": ["single_frame", "b"],
        "data export": ["single_frame", "b", "--format", "cvat"],
        "flow": ["--output", "x", "--folder", "."],
    }
    line = vidcls(*command.split(), *words.get(command, []), "--no-such-option", "3").refusal()
    if command not in ("test", "validate"):
        assert "--no-such-option" in line


def test_what_the_package_notes_is_shown_on_stderr(tmp_path: Path) -> None:
    code = (
        "import sys, logging; from vidcls.cli import COMMANDS, main\n"
        "COMMANDS['doctor'] = lambda _: logging.getLogger('vidcls.layers').info('noted') or 0\n"
        "sys.exit(main(['doctor']))"
    )
    for rank, expected in (("0", "noted\n"), ("1", "")):
        environment = {**os.environ, "LOCAL_RANK": rank}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", expected)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "does not say on which disk; make room on that of the output, on @T"),
        (OSError(28, "No space left on device", "@T/x/a.png"), "@T/x/a.png: No space left on device: make room, or"),
        (OSError(28, "No space left on device", "@T/x/a.png"), "set TMPDIR to a folder on another disk"),
        (OSError(28, "No space left on device", "/data/a.flow"), "/data/a.flow: No space left on device: make room"),
        (OSError(30, "Read-only file system", "@C"), "@C: Read-only file system: set XDG_CACHE_HOME"),
        (OSError(30, "Read-only file system", "@C/vidcls/a"), "set XDG_CACHE_HOME"),
    ],
)
def test_a_disk_that_is_full_or_cannot_be_written_to_is_named_with_what_helps(
    error: OSError,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def place(text: str) -> str:
        return text.replace("@T", str(tmp_path / "temp")).replace("@C", str(tmp_path / "cache"))

    def fail(arguments: list[str]) -> int:
        raise OSError(error.errno, error.strerror, error.filename and place(error.filename))

    monkeypatch.setitem(COMMANDS, "doctor", fail)
    assert main(["doctor"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert place(said) in line


def test_a_command_of_two_words_may_have_options_between_them(vidcls: Command) -> None:
    assert "vidcls data check --help" in vidcls("data", "--allow-class", "mypackage", "check").refusal()
    assert "unknown command 'data check'" in vidcls("data check", "my_videos").refusal()
