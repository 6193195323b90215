"""The bytes of a request -> all that the server says, as no client library lets one see it."""

from __future__ import annotations

import socket

PATIENCE_SECONDS = 60.0


def answer_to(url: str, request: bytes) -> bytes:
    """What the server of an address says until it ends the connection; one read may hold but a part of it."""
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=PATIENCE_SECONDS) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(4096), b""))


def port_of(url: str) -> int:
    """The port of an address that ends with it."""
    return int(url.rpartition(":")[2])
