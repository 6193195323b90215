"""What a checkpoint says in plain values -> the same with names in place of the paths of the machine of the training.

Where the initial weights came from is not followed again when a checkpoint is loaded, and of a backbone in a folder
(``hf//home/me/dinov2``) it brings the settings along, by that name: so a path is renamed everywhere alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from vidcls.hub_files import PREFIX as HUB_PREFIX

WEIGHTS = "weights"  # how arguments end that name a file of weights, also by a path that is not absolute
KEPT = ("class_names",)  # whatever they look like
_PATH = re.compile(r"[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]+://")


def without_folders(content: dict[str, object]) -> dict[str, object]:
    """The same values and keys, with the last part of each path in its place; different paths stay different.

    >>> without_folders({"backbone": "hf//home/me/dinov2", "weights": "runs/first", "depth": 18})
    {'backbone': 'hf/dinov2', 'weights': 'first', 'depth': 18}
    """
    names: dict[str, str] = {}
    for path in _paths(content):
        prefix, inside = _parts(path)
        last = PurePosixPath(inside.replace("\\", "/").partition("?")[0]).name.lstrip("~") or "file"
        name, number = prefix + last, 2
        while name in names.values() and path not in names:
            name, number = f"{prefix}{last}-{number}", number + 1
        names.setdefault(path, name)
    renamed = _renamed(content, names)
    assert isinstance(renamed, dict)
    return renamed


def _paths(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(name)
            yield from _paths(item, str(name))
    elif isinstance(value, list | tuple) and key not in KEPT:
        for item in value:
            yield from _paths(item, key)
    elif isinstance(value, str):
        inside = _parts(value)[1]
        if _PATH.match(inside) or (key.endswith(WEIGHTS) and re.search(r"[/\\]", inside)):
            yield value


def _parts(text: str) -> tuple[str, str]:
    """What says that a backbone is a model of the Hub or of its kind, and the rest."""
    return (HUB_PREFIX, text.removeprefix(HUB_PREFIX)) if text.startswith(HUB_PREFIX) else ("", text)


def _renamed(value: object, names: dict[str, str], key: str = "") -> object:
    if isinstance(value, dict):
        return {_renamed(name, names): _renamed(item, names, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple) and key not in KEPT:
        return type(value)(_renamed(item, names, key) for item in value)
    return names.get(value, value) if isinstance(value, str) else value
