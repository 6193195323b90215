"""One job for each video -> one outcome for each."""

from vidcls.jobs.ledger import read_ledger
from vidcls.jobs.outcome import LostWorkerError, Outcome, fault_of, reason_of
from vidcls.jobs.pools import AllReachable, InThisProcess, LocalProcesses, Pool, is_here, local_pool, worker_number
from vidcls.jobs.ray_cluster import RayCluster
from vidcls.jobs.ray_session import ray_session

__all__ = [
    "AllReachable",
    "InThisProcess",
    "LocalProcesses",
    "LostWorkerError",
    "Outcome",
    "Pool",
    "RayCluster",
    "fault_of",
    "is_here",
    "local_pool",
    "ray_session",
    "read_ledger",
    "reason_of",
    "worker_number",
]
