"""Lines with names of strangers in them, on terminals of any encoding."""

from __future__ import annotations

import io
import sys

import pytest

from vidcls.cli import main
from vidcls.console import say, tolerate_any_text, visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.mp4", "plain name.mp4"),
        ("übung 日本 😀 👩\u200d🚀", "übung 日本 😀 👩\u200d🚀"),
        ("a\nvidcls: trained", "a\\nvidcls: trained"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b2J\x85", "\\x9b2J\\x85"),
        ("caf\udce9.mp4", "caf\\udce9.mp4"),
        ("gpj.\u202e4pm", "gpj.\\u202e4pm"),
        ("a\u2028b", "a\\u2028b"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_is_not_to_be_seen_is_written_as_in_a_python_string(name: str, shown: str) -> None:
    assert visible(name) == shown


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_terminal_of_any_encoding_takes_any_line(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    tolerate_any_text()
    say("gehen 😀\udce9\n")
    assert main(["predict", "日本\x1b😀.ckpt", "a.mp4"]) == 2
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams.values())
    assert out == ("gehen 😀" if encoding == "utf-8" else "gehen \\U0001f600") + "\\udce9\\n\n"
    assert err.startswith("vidcls: error: ")
    assert "\\x1b" in err
    assert ".ckpt: no such file or folder" in err
    assert len(err.splitlines()) == 1
