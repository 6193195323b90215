"""A regular expression and the name of a video -> the group that the name tells."""

from __future__ import annotations

import inspect
import re

from vidcls.errors import DatasetError


def compiled_group_pattern(group_pattern: str | None) -> re.Pattern[str] | None:
    """The expression, ready to be searched; None where there is none.

    Raises:
        ValueError: it is not a regular expression with a bracket.
    """
    if group_pattern is None:
        return None
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise ValueError(f"group_pattern {group_pattern!r} is not a regular expression: {error}") from error
    if not pattern.groups:
        raise ValueError(
            f"group_pattern {group_pattern!r} has no bracket: expected one around the group, as in '(person\\d+)_'"
        )
    return pattern


def group_in(pattern: re.Pattern[str], name: str, place: object) -> str:
    """The group that a name tells.

    Args:
        pattern: searched in the name; its first bracket is the group.
        name: such as ``class/file``.
        place: where a user finds the video, for the message.

    Raises:
        DatasetError: the name does not match, or its bracket is empty.
    """
    match = pattern.search(name)
    if match is None or not match.group(1):
        raise DatasetError(
            f"{place}: no group found by group_pattern {pattern.pattern!r}; rename the file or widen the pattern"
        )
    return match.group(1)


def takes_group_pattern(dataset: object) -> bool:
    """Whether a data set, such as VideoFolder, has the option."""
    return "group_pattern" in inspect.signature(type(dataset)).parameters
