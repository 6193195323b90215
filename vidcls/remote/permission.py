"""Which protocols this process may read: none, until the user has named them.

A configuration, a list of videos, a checkpoint or a run folder may hold addresses, but never the permission: that is
typed (``--allow-remote s3 https``) or called for (``vidcls.allow_remote("s3")``).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from vidcls.errors import ConfigurationError, MissingExtraError
from vidcls.remote.addresses import NAMES, PROTOCOLS, STREAMS, protocol_of, shown

OPTION = "--allow-remote"
_allowed: set[str] = set()


def allow_remote(*protocols: str) -> None:
    """Let this process read and write addresses of these protocols, such as ``"s3"`` and ``"https"``.

    Raises:
        ConfigurationError: one of them is not known, and then none is allowed.
        MissingExtraError: the package that reads it is not installed.
    """
    names = [protocol.lower().removesuffix("://") for protocol in protocols]
    unknown = [name for name in names if name not in PROTOCOLS and name not in STREAMS]
    if unknown:
        allowed = ", ".join([*NAMES, *STREAMS])
        raise ConfigurationError(f"{OPTION}: unknown protocol {unknown[0]!r}: expected some of {allowed}")
    objects = [name for name in names if name in PROTOCOLS]
    for name in objects:
        if (package := missing_package(name)) is not None:
            raise MissingExtraError(f"{name}:// needs the package {package}: {PROTOCOLS[name].install}")
    _allowed.update(PROTOCOLS[name].name if name in PROTOCOLS else name for name in names)


def missing_package(name: str) -> str | None:
    """The package that is not installed and that a protocol needs; None where all are there."""
    needed = ("fsspec", "upath", PROTOCOLS[name].package)
    return next((package for package in needed if importlib.util.find_spec(package) is None), None)


@contextmanager
def permission_ends() -> Iterator[None]:
    """What is allowed in the block is forgotten after it, as where one program runs several commands."""
    before = set(_allowed)
    try:
        yield
    finally:
        _allowed.clear()
        _allowed.update(before)


def forget() -> None:
    """Allow nothing any more."""
    _allowed.clear()


def allowed_remote() -> tuple[str, ...]:
    """The protocols that are allowed, in alphabetical order."""
    return tuple(sorted(_allowed))


def words_of_permission() -> list[str]:
    """What gives another command the same permission, wherever it stands among its words."""
    return [f"{OPTION}={name}" for name in allowed_remote()]


def check_allowed(address: str) -> None:
    """Nothing where the address may be read.

    Raises:
        ConfigurationError: its protocol is not known or was not allowed.
    """
    check_named(protocol_of(address).name, address)


def check_named(name: str, address: str) -> None:
    """Nothing where addresses of this protocol may be read.

    Raises:
        ConfigurationError: it was not allowed.
    """
    if name not in _allowed:
        raise ConfigurationError(
            f"{shown(address)}: is an address, and none is read without permission: add {OPTION} {name} to the "
            f'command (in Python: vidcls.allow_remote("{name}"))'
        )
