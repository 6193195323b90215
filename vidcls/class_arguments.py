"""A class or function -> the arguments that it takes, also those that a class hands on to its base."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter


def arguments_of(found: Callable[..., object]) -> dict[str, Parameter]:
    """The named arguments with their defaults; of a class that ends in ``**common`` also those of the next base.

    >>> class Base:
    ...     def __init__(self, *, a: int = 1) -> None: ...
    >>> class Model(Base):
    ...     def __init__(self, b: int, **common: int) -> None: ...
    >>> list(arguments_of(Model))
    ['b', 'a']
    """
    takers: list[Callable[..., object]] = [found]
    if isinstance(found, type):
        takers = [vars(base)["__init__"] for base in found.__mro__ if "__init__" in vars(base)]
    arguments: dict[str, Parameter] = {}
    for taker in takers:
        parameters = inspect.signature(taker).parameters
        hands_on = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
        for name, parameter in parameters.items():
            if parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL) and name != "self":
                arguments.setdefault(name, parameter)
        if not hands_on:
            break
    return arguments
