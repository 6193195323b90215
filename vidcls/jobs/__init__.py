"""One job for each video -> one outcome for each."""

from vidcls.jobs.outcome import Outcome, reason_of
from vidcls.jobs.pools import InThisProcess, LocalProcesses, Pool, local_pool, worker_number

__all__ = ["InThisProcess", "LocalProcesses", "Outcome", "Pool", "local_pool", "reason_of", "worker_number"]
