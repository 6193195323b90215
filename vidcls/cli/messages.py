"""What the parser or a constructor complains about -> one line: which key, what was got, what is allowed."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

import lightning.pytorch

import vidcls
from vidcls.class_arguments import arguments_of
from vidcls.cli.option_names import unknown_class, unknown_option
from vidcls.models.build import import_class
from vidcls.models.classifier import LINKED_ARGUMENTS
from vidcls.spelling import did_you_mean
from vidcls.trusted_classes import refusal_in

READABLE = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "PositiveInt": "a whole number above 0",
}
_LIGHTNING = Path(lightning.pytorch.__file__).parent


def parser_message(error: Exception) -> str:
    """The innermost complaint of a nested message of jsonargparse, with the key that it is about."""
    text = str(error)
    if "unrecognized arguments" in text:
        unknown = text.partition("unrecognized arguments:")[2].split()
        return unknown_option(next((word for word in unknown if word.startswith("-")), unknown[0]))
    foreign = re.search(r"does not accept option '([^']+)'", text)
    if foreign:
        return unknown_option(f"--{foreign[1]}")
    key = ".".join(re.findall(r'Parser key "([^"]+)"', text))
    not_trusted = refusal_in(error)
    no_file = re.match(r"(\S+\.ya?ml) belongs to none", not_trusted or "")
    if no_file:
        return f"{key}: no such file: {no_file[1]}"
    if not_trusted:
        return f"{key}: {not_trusted}" if key else not_trusted
    innermost = text.rpartition('Parser key "')[2]
    refused = re.search(r"Option '([^']+)' is not accepted", innermost)
    if refused:
        classes = re.findall(r"Problem with given class_path '([^']+)'", text)
        return f"{key}.{refused[1]}: unknown option; {_allowed(classes[-1], refused[1])}"
    missing = re.search(r"the following arguments are required: (?:(?:fit|validate|test)\.)?(\S+)", innermost)
    if missing:
        name = f"{key}.{missing[1]}" if key else missing[1]
        return f"{name} is missing: pass --{name}, or a --config that has it"
    return (
        _not_made(error, text) or _wrong_class(key, innermost) or _wrong_value(key, innermost) or " ".join(text.split())
    )


def _not_made(error: Exception, text: str) -> str | None:
    """What another library says against making an object of its own; None where something else is wrong."""
    made = re.search(r"Namespace\(class_path='([^']+)'", text)
    innermost = [*_causes(error)][-1]
    if made is None or type(innermost).__module__.partition(".")[0] in ("builtins", "argparse", "jsonargparse"):
        return None
    return f"{made[1]} cannot be made: {' '.join(str(innermost).split())}"


def _wrong_class(key: str, text: str) -> str | None:
    if "Expected an instantiatable class" in text:
        return f"{key}: names no class that can be made: expected class_path and init_args"
    no_file = re.search(r"No module named '[^']*'", text) and re.fullmatch(r"\S+\.ya?ml", _given(text))
    if no_file:
        return f"{key}: no such file: {no_file[0]}"
    unknown = re.search(r"Expected a dot import path string: (\S+)", text)
    if unknown:
        return unknown_class(key, unknown[1])
    foreign = re.search(r"does not correspond to a subclass of (\w+)", text)
    if foreign:
        return f"{key}: {_given(text)} is not a {foreign[1]}"
    refused = re.search(r"Problem with given class_path '([^']+)':\s+(.+)", text)
    return f"{key}: {refused[1]} cannot be used: {refused[2].strip()}" if refused else None


def _wrong_value(key: str, text: str) -> str | None:
    expected = re.search(r"Expected a (.+?)\. Got value: (.*)", text)
    if expected:
        kind, given = _readable(expected[1]), expected[2].strip()
        return f"{key}: expected {kind}, got {given!r}{_meant([kind], given)}"
    choices = re.findall(r"- (?:Expected a|Not of type) (?!path but)([^:\n]+)", text.partition("Given value type")[0])
    kinds = [_readable(kind) for kind in choices if "NoneType" not in kind]
    return f"{key}: expected {' or '.join(kinds)}, got {_given(text)!r}{_meant(kinds, _given(text))}" if kinds else None


def _meant(kinds: Iterable[str], given: str) -> str:
    """The choice that was most likely meant, where there are choices."""
    hint = did_you_mean(given, [name for kind in kinds for name in re.findall(r"'([^']+)'", kind)])
    return f"; {hint}" if hint else ""


def _given(text: str) -> str:
    """What a message says was given, first of the innermost."""
    given = re.search(r"Given value: (.*)", text)
    return given[1].strip() if given else "another value"


def own_message(error: Exception) -> str | None:
    """The message of the innermost exception that vidcls raised itself; None where none did."""
    package = str(Path(vidcls.__file__).parent)
    found = None
    for cause in _causes(error):
        frames = traceback.extract_tb(cause.__traceback__)
        if frames and frames[-1].filename.startswith(package) and "/cli/" not in frames[-1].filename:
            found = " ".join(str(cause).split())
    return found


def refused_by_callback(error: Exception) -> str | None:
    """What a callback of Lightning says against its settings, the model or the machine; None for other errors.

    They raise all kinds of errors for it, but from their own files, and with a message that was written for users.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = Path(frames[-1].filename) if frames else Path()
    if not str(error) or place.parent not in (
        _LIGHTNING / "callbacks",
        _LIGHTNING / "callbacks/progress",
        _LIGHTNING / "tuner",
    ):
        return None
    return f"trainer.callbacks: {' '.join(str(error).split())}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _allowed(class_path: str, name: str) -> str:
    found = import_class(class_path)
    names = [name for name in arguments_of(found) if name not in LINKED_ARGUMENTS]
    return did_you_mean(name, names, otherwise=f"{found.__name__} takes {', '.join(names)}")


def _readable(kind: str) -> str:
    literal = re.search(r"Literal\[(.+)\]", kind)
    if literal:
        return f"one of {literal[1]}"
    plain = re.search(r"<class '([^']+)'>", kind)
    return READABLE.get(plain[1] if plain else kind, kind)
