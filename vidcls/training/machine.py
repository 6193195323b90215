"""This computer -> its name, its cores and the versions of what runs on it."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "torchvision", "lightning", "vidcls")


@dataclass(frozen=True)
class Machine:
    """Where something was measured.

    Args:
        cpu: its name.
        num_cores: that this process may use.
        gpu: its name; None without one.
        versions: of python and of the packages, by name.
    """

    cpu: str
    num_cores: int
    gpu: str | None
    versions: dict[str, str]

    def describe(self) -> str:
        """One line."""
        devices = f"{self.cpu}, {self.num_cores} cores" + (f", {self.gpu}" if self.gpu else "")
        return f"{devices}; " + ", ".join(f"{name} {number}" for name, number in self.versions.items())

    def to_dict(self) -> dict[str, object]:
        """Plain types."""
        return asdict(self)


def this_machine() -> Machine:
    """The computer that this runs on."""
    import torch

    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return Machine(_cpu_name(), num_cores, gpu, versions)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        from vidcls import __version__

        return __version__ if package == "vidcls" else "unknown"
