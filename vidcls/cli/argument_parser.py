"""Words of a command line -> options; what is wrong with them is one line."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from vidcls.errors import ConfigurationError
from vidcls.spelling import closest

# How version 0.1 spelled some options; all others had dashes in place of underscores.
FORMER = {
    "--workers": "--num_workers",
    "--anew": "--recheck",
    "--ckpt": "--ckpt_path",
    "--folds": "--num_folds",
    "--most-lines": "--max_lines",
}


def spelled(words: Sequence[str], options: Collection[str]) -> list[str]:
    """The words with the options that are spelled as version 0.1 did spelled as they are now.

    >>> spelled(["--short-side=96", "--workers", "2"], {"--short_side", "--num_workers"})
    ['--short_side=96', '--num_workers', '2']
    """
    found: list[str] = []
    for word in words:
        option, equals, value = word.partition("=")
        now = FORMER.get(option, f"--{option[2:].replace('-', '_')}")
        is_former = option.startswith("--") and option not in options and now in options
        found.append(f"{now}{equals}{value}" if is_former else word)
    return found


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that raises in place of printing its usage and leaving; options are never abbreviated.

    Args:
        command: the word behind ``vidcls``.
        description: what the command does, for ``--help``.
    """

    def __init__(self, command: str, description: str) -> None:
        self._known: set[str] = set()
        super().__init__(
            prog=f"vidcls {command}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """As in argparse; ``-o`` is short for ``--output`` wherever a command has it."""
        if names == ("--output",):
            names = ("-o", "--output")
        self._known.update(names)
        return super().add_argument(*names, **settings)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As in argparse, with the spellings of version 0.1 as well."""
        words = None if args is None else spelled(args, self._known)
        for word, after in pairwise([*(words or []), "-"]):
            option, equals, value = word.partition("=")
            if option.startswith("-") and option in self._known and (value if equals else after) == "":
                self.error(f"argument {option}: expected one argument")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise ConfigurationError with the message, and the option that was most likely meant."""
        unknown = message.partition("unrecognized arguments: --")[2].partition(" ")[0].partition("=")[0]
        names = [name.lstrip("-") for name in self._known if name.startswith("--")]
        meant = closest(unknown.replace("-", "_"), names) if unknown else None
        hint = f"did you mean --{meant}? " if meant else ""
        raise ConfigurationError(f"{message}; {hint}{self.prog} --help lists what is allowed")


def positive_seconds(text: str) -> float:
    """A finite number of seconds above 0."""
    return _positive(text, "seconds")


def positive_pixels(text: str) -> float:
    """A finite number of pixels above 0."""
    return _positive(text, "pixels")


def positive_mebibytes(text: str) -> float:
    """A finite number of MiB above 0."""
    return _positive(text, "MiB")


def _positive(text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit} above 0")
    return number


def positive_count(value: str | int) -> int:
    """An integer of at least 1; jsonargparse hands it one that was parsed before, too."""
    text = str(value)
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of at least 1")
    return int(text)
