"""A Ray cluster of several nodes on this machine, of which any can be killed and to which more can be added."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ray._common.utils import get_ray_address_file
from ray.cluster_utils import Cluster

from vidcls.types import VideoRecord


class RayNodes:
    """The nodes of a cluster; the head is one of them.

    Args:
        cluster: what runs them.
        num_cpus: of each node but the head.
    """

    def __init__(self, cluster: Cluster, num_cpus: int) -> None:
        self._cluster, self._num_cpus = cluster, num_cpus
        self.address: str = cluster.address

    @property
    def num_workers(self) -> int:
        """How many nodes there are beside the head."""
        return len(self._cluster.worker_nodes)

    def add(self) -> None:
        """Add a node."""
        self._cluster.add_node(num_cpus=self._num_cpus)

    def kill(self) -> None:
        """Kill all processes of a node that is not the head, at once."""
        self._cluster.remove_node(next(iter(self._cluster.worker_nodes)), allow_graceful=False)

    def kill_head(self) -> None:
        """Kill all processes of the head at once."""
        self._cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)


@contextmanager
def ray_nodes(num_workers: int, *, num_cpus: int = 1, head_cpus: int = 1, port: int = 0) -> Iterator[RayNodes]:
    """A head and so many nodes, until the block is left.

    Args:
        num_workers: nodes beside the head.
        num_cpus: of each of them.
        head_cpus: of the head.
        port: of the head; 0 for any.
    """
    folder = tempfile.mkdtemp(prefix="rn_", dir="/tmp")  # names of sockets must be short
    head = {"num_cpus": head_cpus, "include_dashboard": False, "temp_dir": folder}
    # The cluster notes its address here, whatever its own folder is, and does not make the place for it.
    Path(get_ray_address_file(None)).parent.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(initialize_head=True, head_node_args={**head, **({"gcs_server_port": port} if port else {})})
    nodes = RayNodes(cluster, num_cpus)
    try:
        for _ in range(num_workers):
            nodes.add()
        yield nodes
    finally:
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def slowly(job: Callable[[VideoRecord], object], record: VideoRecord, *, seconds: float = 1.0) -> object:
    """Do the job, after some seconds."""
    time.sleep(seconds)
    return job(record)
