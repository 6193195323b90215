"""The head of a Ray cluster -> what it last said of its nodes, asked in the background so that nobody waits for it.

Where a head is gone, a question to it blocks, and after some minutes Ray ends the process that asked. So a thread asks,
and only after something has answered at the address.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import Any

POLL_SECONDS = 1.0
_CONNECT_SECONDS = 3.0


class RayHead:
    """Watches the head of the cluster that this process is connected to.

    Args:
        address: HOST:PORT of the head.
        num_cpus: that one worker needs.
        num_gpus: that one worker needs.
        memory_bytes: that one worker needs.
    """

    def __init__(self, address: str, *, num_cpus: float, num_gpus: float, memory_bytes: int | None) -> None:
        self.address = address
        self.num_slots = 0  # workers that all nodes have room for, whoever uses it now
        self.alive: frozenset[str] = frozenset()  # ids of the nodes
        self.answered_at = time.monotonic()
        self._needed = {"CPU": num_cpus, "GPU": num_gpus, "memory": memory_bytes or 0}
        self._stopped = threading.Event()
        self._to_kill: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="ray head")

    def start(self) -> None:
        """Watch it from now on; what it says now is known when this returns."""
        self._ask()
        self._thread.start()

    def stop(self) -> None:
        """Watch it no longer, and end the workers that are to end."""
        self._stopped.set()
        self._thread.join(timeout=2 * POLL_SECONDS)  # it may wait for a head that is gone
        self._end_workers()

    @property
    def needs(self) -> str:
        """What a worker needs, in words."""
        cpus, gpus, memory = self._needed.values()
        words = [f"{cpus:g} CPUs", f"{gpus:g} GPUs" if gpus else "", f"{memory / 2**30:.3g} GiB" if memory else ""]
        return ", ".join(word for word in words if word)

    @property
    def silent_seconds(self) -> float:
        """How long the head has not answered."""
        return time.monotonic() - self.answered_at

    def end_worker(self, worker: object) -> None:
        """End a worker, at once or as soon as the head answers."""
        self._to_kill.put(worker)

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            if answers(self.address):
                self._ask()
                self._end_workers()

    def _ask(self) -> None:
        import ray
        from ray.exceptions import RayError

        try:
            nodes = [node for node in ray.nodes() if node["Alive"]]
        except (RayError, RuntimeError, ValueError):  # it is asked again; one that never answers is lost
            return
        self.alive = frozenset(node["NodeID"] for node in nodes)
        self.num_slots = sum(self._room(node["Resources"]) for node in nodes)
        self.answered_at = time.monotonic()

    def _room(self, resources: dict[str, float]) -> int:
        needed = {name: number for name, number in self._needed.items() if number}
        return min(int(resources.get(name, 0) / number + 1e-6) for name, number in needed.items())

    def _end_workers(self) -> None:
        import ray
        from ray.exceptions import RayError

        while True:
            try:
                worker = self._to_kill.get_nowait()
            except queue.Empty:
                return
            if ray.is_initialized() and answers(self.address):
                with contextlib.suppress(RayError, RuntimeError, ValueError):  # it is gone, or ends with this process
                    ray.kill(worker, no_restart=True)


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
