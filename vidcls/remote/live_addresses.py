"""The address of a live stream -> whether it may be read, and how it may be shown."""

from __future__ import annotations

import re

from vidcls.errors import ConfigurationError
from vidcls.remote.addresses import STREAMS, is_address, is_web, normal, shown
from vidcls.remote.permission import check_allowed, check_named


def check_stream(address: str) -> str:
    """The address with its protocol in small letters, where it may be read.

    Cameras ask for a user name and a password, which their addresses may hold; messages and files show none of them.

    Raises:
        ConfigurationError: its protocol is not read live, or was not allowed, or it has no host.
    """
    if is_web(address):
        check_allowed(address)
        return normal(address)
    address = normal(address)
    name, _, rest = address.partition("://")
    if name not in STREAMS:
        allowed = ", ".join([*STREAMS, "http", "https"])
        raise ConfigurationError(
            f"{shown_stream(address)}: addresses of {name} are not read live; expected one of {allowed}"
        )
    if any(ord(character) <= 32 or character == "\x7f" for character in address):
        raise ConfigurationError(f"{address!a}: has a space or a control character; check the address")
    if not rest.partition("/")[0].rpartition("@")[2]:
        raise ConfigurationError(f"{address}: has no host; expected {name}://HOST:PORT")
    check_named(name, shown_stream(address))
    return address


def shown_stream(address: str) -> str:
    """The address as messages and files may have it: without user, password and what follows a question mark.

    >>> shown_stream("rtsp://user:pw@camera:554/live?token=1f")
    'rtsp://camera:554/live'
    """
    if not is_address(address):
        return address
    return shown(re.split(r"[?#]", address, maxsplit=1)[0])
