"""One job for each video -> one outcome for each."""

from vidcls.jobs.outcome import Outcome, fault_of, reason_of
from vidcls.jobs.pools import InThisProcess, LocalProcesses, Pool, local_pool, worker_number

__all__ = ["InThisProcess", "LocalProcesses", "Outcome", "Pool", "fault_of", "local_pool", "reason_of", "worker_number"]
