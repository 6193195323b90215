"""A word that nothing is called, and what things are called -> what was most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LEAST_LETTERS = 3


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


def same_name(word: str, names: Iterable[str]) -> str | None:
    """The name that a word is but for case and underscores; None where none is.

    >>> same_name("two_stream", ["TwoStream"]), same_name("Conv3D", ["conv3d"]), same_name("conv", ["conv3d"])
    ('TwoStream', 'conv3d', None)
    """
    return next((name for name in names if _bare(name) == _bare(word)), None)


def beginning_alike(word: str, names: Iterable[str]) -> list[str]:
    """The names that begin as a word does, as far as any of them does and for three letters at least, in their order.

    >>> beginning_alike("resnett", ["resnet18", "alexnet", "resnet50"]), beginning_alike("net", ["resnet18"])
    (['resnet18', 'resnet50'], [])
    """
    known = [*names]
    for length in range(len(word), LEAST_LETTERS - 1, -1):
        if found := [name for name in known if name.lower().startswith(word[:length].lower())]:
            return found
    return []


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


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
