from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, MissingExtraError
from vidcls.jobs import RayCluster, ray_session
from vidcls.types import VideoRecord
from vidcls.video import LocalFile


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("somewhere", "expected local, auto or HOST:PORT"),
        ("host:99999", "expected local, auto or HOST:PORT"),
        ("ray://host:10001", "is one of Ray Client"),
        ("127.0.0.1:PORT", "nothing answers there"),
    ],
)
def test_an_address_where_nothing_answers_is_an_error_of_one_line(address: str, words: str) -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(ConfigurationError, match=words) as error,
        ray_session(address.replace("PORT", str(closed_port())) if address.startswith("127") else address),
    ):
        pass
    assert "\n" not in str(error.value)


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidcls\[ray\]'"), ray_session():
        pass


MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.50.0
    Python: 3.12.1
This process on node 10.0.0.7 was started with:
    Ray: 2.60.0
    Python: 3.11.2
"""


def test_other_versions_are_an_error_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def init(**_: object) -> None:
        raise RuntimeError(MISMATCH)

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(ConfigurationError, match=r"cluster: Ray 2.50.0, Python 3.12.1; here: Ray 2.60.0, Python 3.11.2"),
        ray_session("local"),
    ):
        pass


def test_a_ray_of_this_machine_lasts_as_long_as_the_block_and_is_used_by_all_in_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port()}")  # which local does not mean
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with ray_session("local", num_cpus=1) as session:
        assert {number: signal.getsignal(number) for number in before} == before
        assert ray.cluster_resources()["CPU"] == 1
        folder = Path(ray._private.worker.global_worker.node.get_session_dir_path())
        assert len(str(folder)) + len("/sockets/plasma_store") < 107
        with ray_session("somewhere:1") as inner:
            assert inner is session
        assert ray.is_initialized()
        with pytest.raises(ConfigurationError, match="no node of the cluster has room for a worker of 2 CPUs, 9 GPUs"):
            list(
                RayCluster("local", num_cpus=2, num_gpus=9).each(str, [VideoRecord(LocalFile(Path()), "", "train", "")])
            )
    assert not ray.is_initialized()
    assert not folder.parent.exists()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert capfd.readouterr() == ("", "")


def test_a_program_that_is_connected_to_ray_itself_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    ended: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    with (
        pytest.raises(ConfigurationError, match=r"is connected to Ray already: call ray.shutdown\(\) before"),
        ray_session("local"),
    ):
        pass
    assert ended == []


def test_a_call_without_a_cluster_is_an_error_and_starts_none(tmp_path: Path) -> None:
    """As of a thread whose cluster was lost: Ray would start another one, and end the program at an unknown actor."""
    code = """
from vidcls.jobs import ray_session
with ray_session("local", num_cpus=1):
    import ray
    place = ray.put(1)
try:
    ray.get(place)
except Exception as error:
    print(type(error).__name__, ray.is_initialized())
"""
    pytest.importorskip("ray")
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ENABLE_AUTO_CONNECT"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["False"]), done


MODULE = sys.modules["vidcls.jobs.ray_session"]  # the package offers the function by this name


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of something that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_what_answers_but_is_no_head_is_refused(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_SECONDS_OF_CHECK", 3.0)
    with pytest.raises(ConfigurationError, match="is no head of a Ray cluster"), ray_session(answering):
        pass


def test_a_cluster_that_asks_for_a_token_says_how_to_give_it(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"ray.exceptions.AuthenticationError: RPC error: InvalidAuthToken: Authentication token is missing"
    monkeypatch.setattr(MODULE.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, b"", said))
    with pytest.raises(ConfigurationError, match="asks for a token: set RAY_AUTH_MODE=token"), ray_session(answering):
        pass


def test_a_signal_ends_with_its_own_status_whatever_ray_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE.RaySession, "connect", lambda _: None)
    monkeypatch.setattr(MODULE.RaySession, "leave", lambda _: None)
    for received, status in (([15], 143), ([], 1)):
        monkeypatch.setattr("vidcls.stop_signals._received", received)
        with pytest.raises(SystemExit) as ended, ray_session("local"):
            raise SystemExit(1)  # as Ray does
        assert ended.value.code == status
