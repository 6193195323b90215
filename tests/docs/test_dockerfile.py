"""The Dockerfile of the server: what it copies is there, what it installs and starts exists, it runs without rights."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from vidcls.cli.serve import _parsed, _token
from vidcls.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def steps() -> list[tuple[str, str]]:
    """The instructions with their words, continued lines joined."""
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split()[0], " ".join(line.split()[1:])) for line in lines if line.strip()]


def the(instruction: str) -> str:
    (found,) = [words for name, words in steps() if name == instruction]
    return found


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [source for name, words in steps() if name == "COPY" for source in words.split()[:-1]]
    assert {"pyproject.toml", "vidcls", "configs"} <= {*copied}
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_what_is_installed_are_extras_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (install,) = [words for name, words in steps() if name == "RUN" and "pip install" in words]
    extras = re.findall(r"\.\[([\w,]+)\]", install)[0].split(",")
    assert {*extras} <= project["optional-dependencies"].keys()
    assert "-c constraints.txt" in install


def test_it_is_small_without_rights_and_tells_its_health() -> None:
    assert re.fullmatch(r"python:3\.1[123]-slim-\w+", the("FROM"))
    names = [name for name, _ in steps()]
    assert names.index("USER") > max(k for k, name in enumerate(names) if name in ("RUN", "COPY"))
    assert int(the("USER")) > 0
    assert "/health" in the("HEALTHCHECK")
    assert the("STOPSIGNAL") == "SIGTERM"


def test_what_it_starts_are_words_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    program, command, *_ = [*json.loads(the("ENTRYPOINT")), ""]
    assert (program, command) == ("vidcls", "serve")
    options = _parsed(json.loads(the("CMD")))
    assert (options.host, options.port) == ("0.0.0.0", int(the("EXPOSE")))
    monkeypatch.delenv("VIDCLS_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="VIDCLS_TOKEN"):
        _token(options)
    monkeypatch.setenv("VIDCLS_TOKEN", "0123456789abcdef")
    assert _token(options) == "0123456789abcdef"
