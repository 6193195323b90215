"""What the parser or a constructor complains about -> one line: which key, what was got, what is allowed."""

from __future__ import annotations

import difflib
import inspect
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from lightning.pytorch import Trainer

import vidcls
from vidcls.data import VideoDataModule
from vidcls.models.checkpoint import import_class

OWNER_OF_PREFIX: dict[str, type] = {"data": VideoDataModule, "trainer": Trainer}


def parser_message(error: Exception) -> str:
    """The innermost complaint of a nested message of jsonargparse, with the key that it is about."""
    text = str(error)
    if "unrecognized arguments" in text:
        return _unrecognized(text)
    key = ".".join(re.findall(r'Parser key "([^"]+)"', text))
    refused = re.search(r"Option '([^']+)' is not accepted", text)
    if refused:
        classes = re.findall(r"Problem with given class_path '([^']+)'", text)
        return f"{key}.{refused[1]}: there is no such option; {_allowed(classes[-1], refused[1])}"
    expected = re.findall(r"Expected a (.+?)\. Got value: (.*)", text)
    if expected:
        kind, got = expected[-1]
        return f"{key}: expected {_readable(kind)}, got {got.strip()!r}"
    unknown_class = re.search(r"Expected a dot import path string: (\S+)", text)
    if unknown_class:
        return (
            f"{key}: there is no class {unknown_class[1]!r}: give one of ours by its name, or your own as module.Class"
        )
    missing = re.search(r'[Kk]ey "([^"]+)" is required', text)
    if missing:
        return f"{missing[1]} is missing: give --{missing[1]} or a --config that has it"
    return " ".join(text.split())


def own_message(error: Exception) -> str | None:
    """The message of the innermost exception that vidcls raised itself; None where none did."""
    package = str(Path(vidcls.__file__).parent)
    found = None
    for cause in _causes(error):
        frames = traceback.extract_tb(cause.__traceback__)
        if frames and frames[-1].filename.startswith(package) and "/cli/" not in frames[-1].filename:
            found = " ".join(str(cause).split())
    return found


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unrecognized(text: str) -> str:
    unknown = text.partition("unrecognized arguments:")[2].split()
    option = next((word for word in unknown if word.startswith("-")), unknown[0])
    prefix, _, name = option.lstrip("-").partition("=")[0].partition(".")
    if prefix in OWNER_OF_PREFIX and name:
        names = list(inspect.signature(OWNER_OF_PREFIX[prefix]).parameters)
        close = difflib.get_close_matches(name.partition(".")[0], names, n=1)
        if close:
            return f"{option}: there is no such option; did you mean --{prefix}.{close[0]}?"
    return f"{option}: there is no such option; vidcls COMMAND --help lists them"


def _allowed(class_path: str, name: str) -> str:
    found = import_class(class_path)
    names = [parameter for parameter in inspect.signature(found).parameters if parameter != "self"]
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"{found.__name__} takes {', '.join(names)}"


def _readable(kind: str) -> str:
    literal = re.search(r"Literal\[(.+)\]", kind)
    if literal:
        return f"one of {literal[1]}"
    plain = re.search(r"<class '([^']+)'>", kind)
    return {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}.get(
        plain[1] if plain else "", kind
    )
