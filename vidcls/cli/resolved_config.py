"""Arguments of ``fit`` -> the resolved configuration, with nothing made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jsonargparse import ArgumentError, Namespace

from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.messages import own_message, parser_message
from vidcls.cli.training import VidclsCLI
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError


def resolved_fit(arguments: Sequence[str]) -> Namespace:
    """The sections ``model``, ``data``, ``trainer`` ... that ``vidcls fit`` would run with; nothing is read or written.

    Raises:
        ConfigurationError: an unknown option, a wrong value, no such file.
    """
    words = with_one_dataset(Words(arguments))
    try:
        config = _ParsedOnly("fit", words.arguments, None).config
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(own_message(error) or parser_message(error)) from error
    return config["fit"]


def plain(value: object) -> object:
    """A part of a configuration in plain types."""
    if isinstance(value, Namespace):
        value = value.as_dict()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


class _ParsedOnly(VidclsCLI):
    """The parser of the command line, without the work."""

    def _set_seed(self) -> None:
        """Leave the random numbers of the process alone."""

    def instantiate_classes(self) -> None:
        """Make nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Run nothing."""
