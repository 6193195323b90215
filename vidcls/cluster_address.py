"""How the address of a cluster is written: ``local``, ``auto`` or HOST:PORT of its head."""

from __future__ import annotations

import importlib.util
import re

from vidcls.errors import ConfigurationError, MissingExtraError

LOCAL, AUTO = "local", "auto"
MISSING = "--engine ray needs Ray: pip install 'vidcls[ray]'"


def check_address(address: str) -> None:
    """Say now what is wrong with how an address is written.

    Raises:
        ConfigurationError: it is none of ``local``, ``auto`` and HOST:PORT.
    """
    if address in (LOCAL, AUTO):
        return
    if address.startswith("ray://"):
        raise ConfigurationError(
            f"--address {address}: is one of Ray Client, which is not used here: pass HOST:PORT of the cluster's head "
            "(port 6379 unless it was started with another), and run the command on a node of the cluster"
        )
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:.]+\]", host) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(
            f"--address {address}: expected local, auto or HOST:PORT of the cluster's head, such as 10.0.0.1:6379"
        )


def require_ray() -> None:
    """MissingExtraError where Ray is not installed; it is not imported, which takes its time."""
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError(MISSING)
