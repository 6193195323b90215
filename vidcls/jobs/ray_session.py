"""The address of a Ray cluster -> a connection to it, for as long as a block lasts.

Ray (https://docs.ray.io) starts workers on the machines of a cluster, hands them work, and notices which of them are
lost. It is an extra; `vidcls.jobs` is its home.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from vidcls.cluster_address import AUTO, LOCAL, MISSING, check_address
from vidcls.errors import ConfigurationError, MissingExtraError, first_line
from vidcls.stop_signals import ending_status

_SECONDS_OF_CHECK = 60.0  # of a command that imports Ray, on a busy machine
_SECONDS_TO_ANSWER = 5.0
_SECONDS_BETWEEN = 0.5
_QUIET = {  # read by Ray when it is imported or started
    "RAY_USAGE_STATS_ENABLED": "0",  # it reports usage to its makers unless told not to
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else a thread that calls it when its cluster is lost starts another one
    "RAY_gcs_rpc_server_reconnect_timeout_s": "300",  # after which Ray ends a process that waits for a head
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class RaySession:
    """A connection of this process to a Ray cluster.

    Args:
        address: as the user wrote it.
        settings: of a Ray of this machine.
        shows_output: print what workers print.
    """

    def __init__(self, address: str, settings: dict[str, object], *, shows_output: bool = False) -> None:
        self._given, self._settings, self._shows_output = address, settings, shows_output
        self.address = ""  # HOST:PORT of the head

    @property
    def is_local(self) -> bool:
        """Whether it started this Ray itself, which ends with it."""
        return self._given == LOCAL

    def connect(self) -> None:
        """Connect, or start a Ray of this machine.

        Raises:
            ConfigurationError: nothing answers there, or its versions are others.
        """
        ray = _imported()
        ray._private.worker._worker_logs_enabled = self._shows_output  # else it prints its own words about lost workers
        if not self.is_local:
            _require_answer(self._given)
        with _signals_as_before():
            try:
                ray.init(
                    address=self._given, logging_level=logging.ERROR, log_to_driver=self._shows_output, **self._settings
                )
            except (ConnectionError, RuntimeError, TimeoutError, ValueError, OSError) as error:
                ray.shutdown()  # what was started of it
                raise _explained(self._given, error) from error
        self.address = ray.get_runtime_context().gcs_address
        if self._given == AUTO:
            self._given = self.address  # where it is found again

    def connect_again(self, most_seconds: float) -> None:
        """Connect to a head that comes back.

        Raises:
            ConfigurationError: it does not, within these seconds.
        """
        until = time.monotonic() + most_seconds
        while True:
            try:
                return self.connect()
            except ConfigurationError:
                if time.monotonic() > until:
                    raise
                time.sleep(_SECONDS_BETWEEN)

    def leave(self) -> None:
        """Disconnect; a Ray of this machine ends."""
        _imported().shutdown()


_current: RaySession | None = None


@contextmanager
def ray_session(
    address: str = LOCAL,
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    shows_output: bool = False,
) -> Iterator[RaySession]:
    """While the block runs, this process is connected to a Ray cluster, and ``ray.remote`` functions work.

    Inside another session it is that one, whatever the address.

    Args:
        address: ``local`` starts a one-node Ray on this machine and ends it with the block; ``auto`` finds the cluster
            that this machine is a node of (or that ``RAY_ADDRESS`` names); HOST:PORT is the head of one.
        num_cpus: for ``local``: how many CPUs Ray counts; default: those of the machine.
        num_gpus: for ``local``: how many GPUs; default: those that Ray finds.
        shows_output: print what workers print, with words of Ray about them.

    Raises:
        ConfigurationError: the address is not one, nothing answers there, its versions are others, or the program is
            connected to Ray by itself, which stays so.
        MissingExtraError: Ray is not installed.
    """
    global _current
    check_address(address)
    ray = _imported()
    if _current is not None:
        yield _current
        return
    if ray.is_initialized():
        raise ConfigurationError(
            f"--address {address}: this program is connected to Ray already: call ray.shutdown() before"
        )
    with contextlib.ExitStack() as stack:
        settings: dict[str, object] = {}
        if address == LOCAL:
            folder = tempfile.mkdtemp(prefix="vray_", dir=_short_folder())
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            settings = {"num_cpus": num_cpus, "num_gpus": num_gpus, "_temp_dir": folder, "include_dashboard": False}
        session = RaySession(address, settings, shows_output=shows_output)
        stack.callback(session.leave)
        session.connect()
        _current = session
        try:
            yield session
        except SystemExit as error:
            status = ending_status()
            if status is None or error.code == status:
                raise
            raise SystemExit(status) from None  # Ray raises one of its own in place of what the signal raised
        finally:
            _current = None


def _imported() -> ModuleType:
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(MISSING) from error
    return ray


def _explained(address: str, error: Exception) -> ConfigurationError:
    text = " ".join(str(error).split())
    if "Version mismatch" in text:
        found = re.findall(r"(?:Ray|Python): ?([\w.]+)", text)
        versions = f" ({'cluster: Ray {}, Python {}; here: Ray {}, Python {}'.format(*found[:4])})" if found[3:] else ""
        return ConfigurationError(
            f"--address {address}: the cluster has other versions of Ray or Python than this command{versions}: "
            "install the same on all nodes"
        )
    if address == AUTO and "Could not find any running Ray" in text:
        return ConfigurationError(
            "--address auto: no Ray runs on this machine: run ray start --address=HOST:PORT to make it a node of a "
            "cluster, pass HOST:PORT of a cluster that it is a node of, or --address local to use this machine alone"
        )
    if address == LOCAL:
        return ConfigurationError(f"--address local: Ray cannot be started here: {first_line(error)}")
    return ConfigurationError(
        f"--address {address}: cannot join that cluster ({first_line(error)}): run the command on a node of it, as "
        "after ray start --address=HOST:PORT"
    )


def _require_answer(address: str) -> None:
    """Where nothing listens Ray would try for a minute, and where something else does for a quarter of an hour."""
    if address == AUTO:
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ConfigurationError(
            f"--address {address}: nothing answers there ({error.strerror or first_line(error)}): check host and port "
            "of the cluster's head (ray status on it), or pass --address local to use this machine alone"
        ) from error
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    said = ""
    try:
        found = subprocess.run(check, capture_output=True, timeout=_SECONDS_OF_CHECK, check=False)
        is_ray, said = found.returncode == 0, found.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        is_ray = False
    if "AuthenticationError" in said:
        raise ConfigurationError(
            f"--address {address}: the cluster asks for a token: set RAY_AUTH_MODE=token, and have its token in "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token, as on its head"
        )
    if not is_ray:
        raise ConfigurationError(
            f"--address {address}: what answers there is no head of a Ray cluster, or one of other versions: check "
            "host and port (ray status on it), or pass --address local to use this machine alone"
        )


@contextmanager
def _signals_as_before() -> Iterator[None]:
    """Ray takes signals over, so that Ctrl+C and kill would no longer end a command as they did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _short_folder() -> str | None:
    """Where a folder has a short name: those of Ray's sockets must stay below 107 characters."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= 30 or not os.access("/tmp", os.W_OK) else "/tmp"
