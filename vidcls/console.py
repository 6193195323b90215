"""Lines with names of files and classes in them -> what a terminal can show, whatever its encoding.

Names come from strangers. A line break in one would forge a line of ours, an escape sequence would clear the screen or
retitle the window, and a letter that the terminal's encoding lacks would end the command. All commands therefore call
:func:`tolerate_any_text` once, and print lines with names in them by :func:`say`.
"""

from __future__ import annotations

import io
import sys
import unicodedata
from typing import TextIO

_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, bytes that are no text, line and paragraph breaks
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # change the direction


def visible(line: str) -> str:
    r"""One line of text with everything that is not to be seen written as in a Python string.

    >>> print(visible("a\nb\x1b[2J \udce9"))
    a\nb\x1b[2J \udce9
    """
    if line.isascii() and line.isprintable():
        return line
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN or c in _TURNING else c for c in line)


def say(line: str, *, file: TextIO | None = None) -> None:
    """Print one line, to stdout unless ``file`` is given."""
    print(visible(line), file=file or sys.stdout, flush=True)


def tolerate_any_text() -> None:
    """Let stdout and stderr write what their encoding lacks as an escape, in place of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def duration(seconds: float) -> str:
    """A time that need not be exact.

    >>> print(duration(7.4), duration(130), duration(7500), sep=", ")
    7 s, 2 min, 2 h 5 min
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
