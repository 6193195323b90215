"""Words of a command line -> options; what is wrong with them is one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from vidcls.errors import ConfigurationError


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that raises in place of printing its usage and leaving; options are never abbreviated.

    Args:
        command: the word behind ``vidcls``.
        description: what the command does, for ``--help``.
    """

    def __init__(self, command: str, description: str) -> None:
        super().__init__(
            prog=f"vidcls {command}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise ConfigurationError with the message."""
        raise ConfigurationError(f"{message}; {self.prog} --help lists what is allowed")


def positive_seconds(text: str) -> float:
    """A finite number of seconds above 0."""
    return _positive(text, "seconds")


def positive_pixels(text: str) -> float:
    """A finite number of pixels above 0."""
    return _positive(text, "pixels")


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
