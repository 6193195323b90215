from __future__ import annotations

import itertools
import socket
import time

import pytest

pytest.importorskip("ray")

import ray
from ray.exceptions import RaySystemError

from vidcls.jobs.ray_head import RayHead


def test_a_question_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidcls.jobs.ray_head.POLL_SECONDS", 0.01)
    asked = itertools.count()

    def nodes() -> list[dict[str, object]]:
        if next(asked) < 3:
            raise RaySystemError("Failed to connect to GCS.")
        return [{"Alive": True, "NodeID": "ab", "Resources": {"CPU": 2.0}}]

    monkeypatch.setattr(ray, "nodes", nodes)
    with socket.create_server(("127.0.0.1", 0)) as server:
        head = RayHead(f"127.0.0.1:{server.getsockname()[1]}", num_cpus=1, num_gpus=0, memory_bytes=None)
        head.start()
        until = time.monotonic() + 30
        while not head.alive and time.monotonic() < until:
            time.sleep(0.01)
        head.stop()
    assert (head.alive, head.num_slots) == ({"ab"}, 2)
