"""A file that a command is to write -> whether it can be written, before anything is computed for it, and after."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidcls.errors import ConfigurationError, VidclsError


def check_place(path: Path, inputs: Sequence[Path], *, option: str) -> None:
    """Refuse a path that is an input, or whose folder cannot be made or written to.

    Args:
        path: the file to write.
        inputs: what the command reads.
        option: that the path was given by, for the message.

    Raises:
        ConfigurationError: it is one of the inputs, or its place cannot be written to.
    """
    if os.path.realpath(path) in {os.path.realpath(video) for video in inputs}:
        raise ConfigurationError(f"{option} {path}: this is one of the inputs; pass another name")
    folder = next(folder for folder in Path(os.path.abspath(path)).parents if folder.exists())  # noqa: PTH100
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigurationError(f"{option} {path}: {folder} is not a writable folder; pass another place")


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
