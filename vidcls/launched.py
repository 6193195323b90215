"""The environment of this process -> whether a launcher started it among others, and which of them it is.

Launchers are Lightning itself, torchrun, SLURM's ``srun``, a script on several nodes, and ``vidcls fit --engine ray``.
"""

from __future__ import annotations

import os
import sys
import threading
import time

RUN_OF_PARENT = "VIDCLS_RUN_FOLDER"  # by which the processes of one training agree on the folder
PARENT = "VIDCLS_PARENT_PROCESS"  # the process without which this one is to end
POLL_SECONDS = 0.5
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")


def is_launched() -> bool:
    """Whether Lightning, torchrun, SLURM or a script on several nodes started this process among others."""
    several_tasks = int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ
    return several_tasks or any(name in os.environ for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK"))


def is_first_process() -> bool:
    """Whether this process is the only one of its command, or the first of all."""
    names = [*_RANKS]
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        names.append("SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)


def end_with_parent() -> None:
    """End this process soon after the one that started it is gone, where that asked for it, as on a lost node."""
    parent = os.environ.get(PARENT, "")
    if parent.isdecimal():
        threading.Thread(target=_follow, args=(int(parent),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    print(f"vidcls: error: process {os.environ.get('RANK', '?')} ends: what started it is gone", file=sys.stderr)
    os._exit(1)
