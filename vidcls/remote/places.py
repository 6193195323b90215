"""A path or an address, as it is typed -> a place: a ``Path`` of this machine, or a ``UPath`` that may be asked for.

A ``UPath`` is here for its arithmetic (``place / "a.npz"``, ``place.name``, ``place.parent``). What is read and written
goes through the functions of this package, which bound retries and survive a fork; the methods of ``UPath`` that ask
the server do not.
"""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vidcls.errors import ConfigurationError
from vidcls.remote.addresses import PROTOCOLS, is_address, is_signed, normal, shown
from vidcls.remote.permission import check_allowed

if TYPE_CHECKING:
    from typing_extensions import TypeIs
    from upath import UPath

    Place: TypeAlias = Path | UPath
else:
    Place = Path  # to import universal_pathlib takes its time
_SPOILT = re.compile(r"([A-Za-z][A-Za-z0-9]+):/([^/])")  # what pathlib makes of an address


def place_of(text: str | PathLike[str] | UPath) -> Place:
    """The place that a path or an address names.

    Raises:
        ConfigurationError: an address whose protocol is not known or was not allowed, that is mistyped, or that holds a
            signature, which would be written into the files of a run.
    """
    if not isinstance(text, str | PathLike):
        return text  # which was made with permission, by this process or by the one that sent it
    address = as_text(text)
    if not is_address(address):
        _refuse_spoilt(address)
        return text if isinstance(text, Path) else Path(address)
    check_allowed(address)
    if is_signed(address):
        raise ConfigurationError(
            f"{shown(address)}: is a signed address, which would be written into files: signed addresses are read as "
            "videos alone; set credentials in the environment"
        )
    from upath import UPath

    return UPath(address)


def as_text(text: str | PathLike[str] | UPath) -> str:
    """A path or an address as it was typed, also where a library has taken it for a path and spoilt its slashes.

    >>> as_text(Path("s3://bucket/clips"))
    's3://bucket/clips'
    """
    plain = os.fspath(text) if isinstance(text, str | PathLike) else str(text)
    found = _SPOILT.match(plain) if isinstance(text, Path) else None
    if found and found.group(1).lower() in PROTOCOLS and not Path(plain).exists():
        plain = f"{found.group(1)}://{plain[found.start(2) :]}"
    return normal(plain) if is_address(plain) else plain


def is_spoilt(text: str) -> bool:
    """Whether it is an address but for one slash; a folder called ``s3:`` would be made of it."""
    found = _SPOILT.match(text)
    return bool(found and found.group(1).lower() in PROTOCOLS and not Path(f"{found.group(1)}:").exists())


def _refuse_spoilt(text: str) -> None:
    found = _SPOILT.match(text)
    if found and is_spoilt(text):
        whole = f"{found.group(1).lower()}://{text[found.start(2) :]}"
        raise ConfigurationError(f"{text}: is neither a path nor an address: write {whole}")


def is_remote(place: Place) -> TypeIs[UPath]:
    """Whether it is at an address, and not on this machine."""
    return not isinstance(place, Path)
