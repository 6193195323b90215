"""A word that nothing is called, and what things are called -> what was most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most like a word, whatever the case of either; None where none is.

    >>> closest("resnet19", ["resnet18", "vgg11"]), closest("SINGLEFRAME", ["SingleFrame"]), closest("x", ["resnet18"])
    ('resnet18', 'SingleFrame', None)
    """
    by_lower_case: dict[str, str] = {}
    for name in names:
        by_lower_case.setdefault(name.lower(), name)
    found = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return by_lower_case[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str], *, otherwise: str = "") -> str:
    """``did you mean X?``, where there is such an X.

    Args:
        word: what was given.
        names: what there is.
        otherwise: what is said where nothing is like the word.

    >>> did_you_mean("two_steam", ["two_stream"]), did_you_mean("x", ["two_stream"], otherwise="see --help")
    ('did you mean two_stream?', 'see --help')
    """
    found = closest(word, names)
    return f"did you mean {found}?" if found else otherwise
