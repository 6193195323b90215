"""An application and an address -> a server that listens there until a signal ends it, in good order."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vidcls.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

MOST_CONNECTIONS = 512  # at once; each is an open file, of which processes have 1024
SECONDS_TO_START = 60.0


def check_installed() -> None:
    """Nothing where the extra is installed.

    Raises:
        MissingExtraError: a package of it is not.
    """
    import importlib.util

    for name in ("fastapi", "uvicorn", "python_multipart", "pebble"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f'vidcls serve needs the package {name}: pip install "{_distribution()}[serve]"')


def _distribution() -> str:
    """What is installed: vidcls, or the part of it that needs no torch."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version("vidcls-runtime")
    except PackageNotFoundError:
        return "vidcls"
    return "vidcls-runtime"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        ConfigurationError: the port is in use or not allowed, or the host is not one of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            reason = "another program listens there: pass another --port, or 0 for any that is free"
        elif number == errno.EACCES:
            reason = "is not allowed to this user: pass a --port of 1024 or more"
        else:
            reason = f"cannot be listened at ({getattr(error, 'strerror', None) or error}): check --host and --port"
        raise ConfigurationError(f"{host}:{port}: {reason}") from error


def address_of(listener: socket.socket) -> str:
    """The address to type into a browser."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def run(
    app: FastAPI, listener: socket.socket, *, grace_seconds: float, started: Callable[[], object] = lambda: None
) -> None:
    """Answer until SIGTERM, SIGINT or Ctrl+C: then take no more, and finish what is in work.

    Args:
        app: what answers.
        listener: where.
        grace_seconds: for what is in work.
        started: is called when the next request will be answered.
    """
    server = _server(app, grace_seconds)
    started()
    with suppress(KeyboardInterrupt, SystemExit):  # uvicorn raises the signal once more when all is done
        server.run(sockets=[listener])


@contextmanager
def running(app: FastAPI, listener: socket.socket, *, grace_seconds: float = 5.0) -> Iterator[str]:
    """The address of a server in a thread of this process, which ends with the block."""
    server = _server(app, grace_seconds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(grace_seconds + SECONDS_TO_START)


def _server(app: FastAPI, grace_seconds: float) -> uvicorn.Server:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,  # its access log would have queries
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
        lifespan="off",
        ws="none",
    )
    return uvicorn.Server(config)
