"""A class or function -> the arguments that it takes, also those that a class hands on to its base."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter
from typing import get_type_hints


def arguments_of(found: Callable[..., object]) -> dict[str, Parameter]:
    """The named arguments with their defaults; of a class that ends in ``**common`` also those of the next base.

    >>> class Base:
    ...     def __init__(self, *, a: int = 1) -> None: ...
    >>> class Model(Base):
    ...     def __init__(self, b: int, **common: int) -> None: ...
    >>> list(arguments_of(Model))
    ['b', 'a']
    """
    arguments: dict[str, Parameter] = {}
    for taker in _takers(found):
        for name, parameter in inspect.signature(taker).parameters.items():
            if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL) and name != "self":
                arguments.setdefault(name, parameter)
    return arguments


def types_of(found: Callable[..., object]) -> dict[str, object]:
    """The types of these arguments.

    Raises:
        NameError: one is imported for type checkers alone.
    """
    types: dict[str, object] = {}
    for taker in _takers(found):
        types = get_type_hints(taker) | types
    return types


def _takers(found: Callable[..., object]) -> Iterator[Callable[..., object]]:
    """What takes the arguments, one after the other, each with what the one before hands on."""
    if not isinstance(found, type):
        yield found
        return
    for base in found.__mro__:
        if "__init__" in vars(base):
            yield vars(base)["__init__"]
            kinds = {parameter.kind for parameter in inspect.signature(vars(base)["__init__"]).parameters.values()}
            if Parameter.VAR_KEYWORD not in kinds:
                return
