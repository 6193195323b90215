"""A file that a command is to write -> whether it can be written, before anything is computed for it, and after."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidcls.errors import ConfigurationError, VidclsError


def check_place(path: Path, inputs: Sequence[Path], *, option: str, is_replaced: bool = True) -> None:
    """Refuse a path that is an input, a folder or a device, or whose folder cannot be made or written to.

    Args:
        path: the file to write.
        inputs: what the command reads.
        option: that the path was given by, for the message.
        is_replaced: whether a new file takes its place in the end, which no pipe or device survives.

    Raises:
        ConfigurationError: it is one of the inputs, or its place cannot be written to.
    """
    if os.path.realpath(path) in {os.path.realpath(video) for video in inputs}:
        raise ConfigurationError(f"{option} {path}: this is one of the inputs; pass another name")
    if path.is_dir():
        raise ConfigurationError(f"{option} {path}: this is a folder; pass a file in it")
    if is_replaced and path.exists() and not path.is_file():
        raise ConfigurationError(f"{option} {path}: is not a regular file; pass another name")
    folder = next(folder for folder in Path(os.path.abspath(path)).parents if folder.exists())  # noqa: PTH100
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{option} {path}: {folder} is not a writable folder; pass another place")


def check_distinct(places: Mapping[str, Iterable[Path | None]]) -> None:
    """Refuse two options that name one file, of which one would be lost.

    Args:
        places: the files of each option; None where it writes none.

    Raises:
        ConfigurationError: names both options.
    """
    taken: dict[str, str] = {}
    for option, paths in places.items():
        for path in paths:
            if path is not None and taken.setdefault(os.path.realpath(path), option) != option:
                raise ConfigurationError(
                    f"{option} {path}: {taken[os.path.realpath(path)]} writes there; pass another name"
                )


@contextmanager
def named_output(path: Path, *, option: str = "--output") -> Iterator[None]:
    """Within it a file is written that the user named with an option.

    Raises:
        VidclsError: it cannot be written; names both.
    """
    try:
        yield
    except OSError as error:
        raise VidclsError(f"{option} {path}: cannot be written ({error}); pass another place") from error
