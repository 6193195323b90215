"""The names of classes -> the same, unless they cannot name classes: a list from a stranger ends on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

LABEL_SEPARATOR = "|"
MAX_CLASSES = 100_000
MAX_NAME_LENGTH = 500
_NOT_IN_A_LINE = ("Cc", "Zl", "Zp")  # control characters, line and paragraph separators


def checked_class_names(names: object) -> tuple[str, ...]:
    """The names as a tuple, in their order.

    Raises:
        ValueError: they are not a list of different names of one line each, or there are too many.
    """
    if not isinstance(names, Sequence) or isinstance(names, str | bytes):
        raise ValueError(f"class names must be a list of text, got {_shown(names)}")
    if len(names) > MAX_CLASSES:
        raise ValueError(f"there are {len(names):,} class names, at most {MAX_CLASSES:,} are allowed")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"class names must be text, got {_shown(name)}")
        if not name.strip() or len(name) > MAX_NAME_LENGTH:
            raise ValueError(f"a class name must have 1 to {MAX_NAME_LENGTH} characters, got {_shown(name)}")
        if any(unicodedata.category(character) in _NOT_IN_A_LINE for character in name):
            raise ValueError(f"the class name {_shown(name)} has a line break or another control character: rename it")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the class name {_shown(twice)} stands twice in the list")
    return tuple(names)


def label_text(classes: Sequence[str]) -> str:
    """The classes of a video in one cell of a file: the name of one class, ``a|b`` of two, nothing of none."""
    return LABEL_SEPARATOR.join(classes)


def _shown(value: object) -> str:
    return ascii(value)[:60] if isinstance(value, str | int | float) or value is None else type(value).__name__
