"""A connection to a web server -> whether its address is one of the public internet.

The address is looked at that a connection is made to, when it is made: neither a name that leads elsewhere a moment
later (DNS rebinding) nor a redirect comes around it. No proxy is asked, which would look names up by itself, and no
credentials of this machine (``~/.netrc``) are sent.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

IsAllowed = Callable[[str], bool]
"""Whether a connection may be made to an address such as ``203.0.113.7``."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_allowed: ContextVar[IsAllowed | None] = ContextVar("allowed hosts", default=None)


class PrivateHostError(PermissionError):
    """A web address leads to a host that may not be asked."""

    def __init__(self, message: str = "its host is in a private network, of which nothing is read") -> None:
        super().__init__(message)


def is_public(host: str) -> bool:
    """Whether an IP address is one of the public internet, also where it is written in one of IPv6.

    >>> is_public("9.9.9.9"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    found = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
    return found.is_global and not found.is_multicast


@contextmanager
def connecting_only(is_allowed: IsAllowed = is_public) -> Iterator[None]:
    """Web servers that are asked in the block are asked at allowed addresses alone; PrivateHostError for others."""
    token = _allowed.set(is_allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def allowed_hosts() -> IsAllowed | None:
    """What says whether an address may be connected to; None where all may."""
    return _allowed.get()


async def guarded_session(is_allowed: IsAllowed, **settings: Any) -> aiohttp.ClientSession:
    """A session whose sockets are made for allowed addresses alone."""
    import aiohttp

    def made(found: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = found
        if not is_allowed(str(place[0])):
            raise PrivateHostError
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=made), **settings)
