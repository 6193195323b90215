"""Plain values, such as JSON and YAML hold -> a frozen dataclass of settings, and nothing that its types do not allow.

No class, function or file is ever named by a value, so that settings of a stranger's file make nothing but settings.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Settings = TypeVar("Settings")


def settings_from(kind: type[Settings], plain: object, *, where: str = "") -> Settings:
    """The settings of this kind; what is not said is the default.

    Args:
        kind: a dataclass whose fields are plain values, tuples, mappings of text, and such dataclasses.
        plain: a mapping of names to values.
        where: the name of what is read, for messages.

    Raises:
        ValueError: an entry is unknown, missing, of another type or outside its range; names it.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where or 'settings'} must be names with values, got {_shown(plain)}")
    expected = get_type_hints(kind)
    known = {field.name for field in fields(kind) if field.init}  # type: ignore[arg-type]
    if unknown := [name for name in plain if name not in known]:
        raise ValueError(f"{where or 'settings'} have no {_shown(unknown[0])}: allowed are {', '.join(sorted(known))}")
    values = {name: _value(expected[name], value, f"{where}.{name}".strip(".")) for name, value in plain.items()}
    try:
        return kind(**values)
    except TypeError as error:  # one without a default is missing
        raise ValueError(f"{where or 'settings'}: {error}") from error


def _value(kind: Any, value: object, where: str) -> object:
    """The value as this type, without any change of meaning; ValueError where it is none."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        found = next((each for each in arguments if type(each) is type(value) and each == value), None)
        if found is None:
            raise ValueError(f"{where} is {_shown(value)}; allowed are {', '.join(map(str, arguments))}")
        return found
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} must be names with values, got {_shown(value)}")
        return {_value(arguments[0], k, where): _value(arguments[1], v, where) for k, v in value.items()}
    if is_dataclass(kind):
        return value if type(value) is kind else settings_from(kind, value, where=where)  # type: ignore[arg-type]
    if kind is float and type(value) in (int, float):
        return _finite(value, where)  # type: ignore[arg-type]
    if type(value) is not kind:
        name = "none" if kind is type(None) else kind.__name__
        raise ValueError(f"{where} must be {name}, got {_shown(value)}")
    return value


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where} must be a finite number, got {_shown(value)}")
    return number


def _one_of(kinds: tuple[Any, ...], value: object, where: str) -> object:
    reasons = []
    for kind in kinds:
        try:
            return _value(kind, value, where)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0] if len(set(reasons)) == 1 or kinds[1:] == (type(None),) else "; or ".join(reasons))


def _tuple(kinds: tuple[Any, ...], value: object, where: str) -> object:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where} must be a list, got {_shown(value)}")
    if kinds[1:] == (...,):
        return tuple(_value(kinds[0], item, where) for item in value)
    if len(value) != len(kinds):
        raise ValueError(f"{where} must have {len(kinds)} entries, got {len(value)}")
    return tuple(_value(kind, item, where) for kind, item in zip(kinds, value, strict=True))


def _shown(value: object) -> str:
    return ascii(value)[:60] if isinstance(value, str | int | float) or value is None else type(value).__name__
