"""From now on -> the most memory that was needed, on the GPU or by the process."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import torch


class GpuMemory:
    """What torch had allocated at most since this was made."""

    def __init__(self) -> None:
        torch.cuda.reset_peak_memory_stats()

    def grown_by(self) -> int | None:
        """Bytes."""
        return torch.cuda.max_memory_allocated()


class CpuMemory:
    """By how much the process grew at most since this was made; Linux keeps that number."""

    def __init__(self) -> None:
        gc.collect()  # what is given back later would hide as much growth
        with suppress(OSError):  # else the peak is that of the process's whole life, which an import may have had
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self.before = _status_bytes("VmRSS")

    def grown_by(self) -> int | None:
        """Bytes; None where the system does not say."""
        peak = _status_bytes("VmHWM")
        return max(0, peak - self.before) if peak is not None and self.before is not None else None


def _status_bytes(name: str) -> int | None:
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
