"""The words of a command -> which classes the user trusts; the parser imports no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import yaml

from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError
from vidcls.settings_file import parse_yaml, within_limits
from vidcls.trusted_classes import (
    DOORS,
    HOMES,
    NEVER_ALLOWED,
    OPTION,
    PACKAGES,
    allow_classes,
    allowed_classes,
    look_in_current_folder,
)

# A class behind these was typed by the user; --config, --data and --trainer name files, which others may have written.
CLASS_OPTIONS = ("--model", "--data.dataset", "--trainer.")
NO_CLASS = ("--trainer.default_root_dir", "--data.dataset.root", "--data.dataset.path")


def trust(arguments: Sequence[str]) -> list[str]:
    """Allow what ``--allow-class`` and the options for classes name, for the rest of the process.

    Only where something is allowed, the current folder is looked into for modules, and after all others.

    Args:
        arguments: all words of a command.

    Returns:
        the words without ``--allow-class`` and what follows it.

    Raises:
        ConfigurationError: the option has no value, or one that is not a package.
    """
    words = Words(arguments)
    given = [word for word in words if word.option == OPTION]
    if not all(word.value for word in given):
        raise ConfigurationError(f"{OPTION}: expected a package, module or class, such as mypackage")
    before = allowed_classes()
    allow_classes([*words.values(OPTION), *_typed(words)])
    _guard_parser(before)
    look_in_current_folder()
    return words.without(OPTION).as_given


def _typed(words: Words) -> Iterator[str]:
    """The packages of the classes that stand on the command line itself."""
    for word in words:
        if word.option.startswith(CLASS_OPTIONS) and word.option not in NO_CLASS and word.value is not None:
            yield from _packages(word.value)


def _packages(value: str) -> Iterator[str]:
    if value.lstrip().startswith(("{", "[")):
        try:
            yield from _packages_within(parse_yaml(value))
        except yaml.YAMLError:
            return  # the parser will say so
    elif not Path(value).exists():
        yield from _packages_within(value)


def _packages_within(value: object) -> Iterator[str]:
    if isinstance(value, str):
        parts = value.partition("(")[0].split(".")  # a backbone may have arguments: mypackage.Net(width=32)
        is_path = len(parts) > 1 and all(part.isidentifier() for part in parts)
        if is_path and parts[0] not in PACKAGES and parts[0] not in NEVER_ALLOWED:
            yield parts[0]
    elif isinstance(value, dict):
        for item in value.values():
            yield from _packages_within(item)
    elif isinstance(value, list):
        for item in value:
            yield from _packages_within(item)


def _guard_parser(before: Sequence[str]) -> None:
    """Have the parser import what is trusted and no more, read small local files only, and make no class unasked."""
    from jsonargparse import get_loader, set_loader, set_parsing_settings

    loader = get_loader("yaml")
    if not (isinstance(loader, partial) and loader.func is within_limits):
        set_loader("yaml", partial(within_limits, load=loader), (yaml.YAMLError,))
    set_parsing_settings(
        import_path_denylist=["*", *before],
        import_path_allowlist=[*HOMES, *DOORS, *allowed_classes()],
        config_read_mode_urls_enabled=False,
        config_read_mode_fsspec_enabled=False,
        instantiate_subclass_spec_in_any=False,
    )
