"""The words behind a command -> its options with their values, and the files that they name; read once.

words = Words(["--config", "two_stream", "--data.clip_len=8"])
words.last("--data.clip_len")      "8"
words.contents("--config")         [{"model": ..., "data": ...}], each file read at most once
words.origin("data.stride")        where a setting comes from: "--data.stride", or the file that says it
words.arguments                    for the parser, shipped configurations as files
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from vidcls.cli.shipped_configs import FOLDER_OF_OPTION, config_path
from vidcls.errors import ConfigurationError
from vidcls.settings_file import read_settings, settings_in

CONFIG = ("--config", "-c")
HELP = ("-h", "--help")
SHORT = {"--task": "--data.task"}
"""Options that may be given without their section."""
_OPTION = re.compile(r"--[A-Za-z]|-[ch](=|$)")
_NO_VALUE = (*HELP, "--print_config", "--verify")


@dataclass
class Word:
    """An option with its value, or a word that belongs to no option.

    Args:
        option: such as ``--data.clip_len``; empty where there is none.
        value: what was given for it; None where nothing was.
        is_one: whether both were one word, with ``=`` between.
        replacement: what the file is taken to say instead.
    """

    option: str
    value: str | None = None
    is_one: bool = False
    replacement: dict[str, object] | None = field(default=None, repr=False)

    @property
    def names_file(self) -> bool:
        """Whether the value is a YAML file, or the text of one."""
        return self.option in FOLDER_OF_OPTION and self.value is not None

    @cached_property
    def file(self) -> str:
        """The value, where it is the name of a shipped configuration its path.

        Raises:
            ConfigurationError: neither a file nor a shipped configuration.
        """
        assert self.value is not None
        return self.value if self.value.startswith("{") else config_path(self.value, self.option)

    @cached_property
    def content(self) -> dict[str, object]:
        """The keys and values of the file.

        Raises:
            ConfigurationError: it cannot be read, or is not a configuration.
        """
        if self.replacement is not None:
            return self.replacement
        return settings_in(self.file, self.option) if self.file.startswith("{") else read_settings(Path(self.file))

    @property
    def as_given(self) -> list[str]:
        """One word or two."""
        if self.is_one:
            return [f"{self.option}={self.value}"]
        return [*([self.option] if self.option else []), *([] if self.value is None else [self.value])]

    @property
    def for_parser(self) -> list[str]:
        """The same with the path, or the text, of the file that it names."""
        if not self.names_file:
            return self.as_given
        return replace(self, value=self.file if self.replacement is None else json.dumps(self.replacement)).as_given


class Words(Sequence[Word]):
    """All words behind a command, in order; later ones count more.

    Args:
        arguments: the words.
    """

    def __init__(self, arguments: Sequence[str] | Sequence[Word]) -> None:
        self._words = [*_read(arguments)]

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        return self._words[place]

    @property
    def arguments(self) -> list[str]:
        """For a parser.

        Raises:
            ConfigurationError: a configuration is neither a file nor a shipped one.
        """
        return [text for word in self._words for text in word.for_parser]

    @property
    def as_given(self) -> list[str]:
        """The words themselves."""
        return [text for word in self._words for text in word.as_given]

    @property
    def asks_for_help(self) -> bool:
        """Whether the command is only to say what it does."""
        return any(word.option in HELP for word in self._words)

    def values(self, *options: str) -> list[str]:
        """What is given for these options, in order."""
        return [word.value for word in self._words if word.option in options and word.value is not None]

    def last(self, *options: str) -> str | None:
        """What counts of it; None where nothing is given."""
        found = self.values(*options)
        return found[-1] if found else None

    def require_values(self, *options: str) -> None:
        """Refuse one of these options with nothing behind it, as where a variable of the shell is empty.

        Raises:
            ConfigurationError: names it.
        """
        for word in self._words:
            if word.option in options and not word.value and (word.value is None or word.option != "--name"):
                raise ConfigurationError(f"{word.option}: expected one argument")

    def without(self, *options: str) -> Words:
        """The same without these options."""
        return Words([word for word in self._words if word.option not in options])

    def contents(self, *options: str) -> list[dict[str, object]]:
        """The keys and values of the files behind these options, in order."""
        return [word.content for word in self._words if word.option in options and word.names_file]

    def in_files(self, key: str) -> object:
        """The value of a key in the configurations; None where none has it."""
        found = [content[key] for content in self.contents(*CONFIG) if content.get(key) is not None]
        return found[-1] if found else None

    def sections(self, name: str) -> Iterator[tuple[Word, dict[str, object]]]:
        """What files say of a section, such as ``data``, those that count more last: configurations, its own files."""
        for word in self._words:
            if word.option in CONFIG and word.names_file and isinstance(found := word.content.get(name), dict):
                yield word, found
        for word in self._words:
            if word.option == f"--{name}" and word.names_file and _is_mapping(word):
                yield word, word.content

    def section(self, name: str) -> dict[str, object]:
        """What files say of a section, together."""
        together: dict[str, object] = {}
        for _, found in self.sections(name):
            together |= found
        return together

    def origin(self, key: str) -> str | None:
        """Where a setting such as ``data.clip_len`` comes from: the option, or the file; None where nothing gives it.

        Of several places it is the one that counts. ``init_args`` may be left out, on both sides.
        """
        wanted = _short(key)
        options = [
            word.option for word in self._words if _is_within(_short(word.option.lstrip("-").rstrip("+")), wanted)
        ]
        if options:
            return options[-1]
        section, _, rest = wanted.partition(".")
        files = [word.file for word, found in self.sections(section) if _has(found, rest.split("."))]
        return files[-1] if files else None


def _read(arguments: Sequence[str] | Sequence[Word]) -> Iterator[Word]:
    waiting: list[str | Word] = [*arguments][::-1]
    while waiting:
        text = waiting.pop()
        if isinstance(text, Word):
            yield text
            continue
        option, equals, value = text.partition("=")
        option = SHORT.get(option, option)
        if _OPTION.match(text) is None:
            yield Word("", text)
        elif equals:
            yield Word(option, value, is_one=True)
        elif option in _NO_VALUE or not waiting or not isinstance(waiting[-1], str) or _OPTION.match(waiting[-1]):
            yield Word(option)
        else:
            yield Word(option, waiting.pop())  # type: ignore[arg-type]


def _is_mapping(word: Word) -> bool:
    return isinstance(word.content, Mapping)


def _short(key: str) -> str:
    return key.replace(".init_args", "")


def _is_within(key: str, wanted: str) -> bool:
    return key == wanted or key.startswith(f"{wanted}.")


def _has(section: object, names: Sequence[str]) -> bool:
    """Whether a section has a value at these names, each possibly among the ``init_args`` of a class."""
    for name in names:
        if not isinstance(section, Mapping):
            return False
        inner = section.get("init_args")
        section = section.get(name, inner.get(name, _NOTHING) if isinstance(inner, Mapping) else _NOTHING)
    return section is not _NOTHING


_NOTHING = object()
