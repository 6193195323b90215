"""What failed, and how -> the command that mends it on this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

# What a message about a missing library names -> Debian's packages. OpenCV needs both of its two.
DEBIAN_PACKAGES: dict[str, str] = {
    r"libGL\.so": "libgl1 libglib2.0-0",
    r"libgthread|libglib": "libgl1 libglib2.0-0",
    r"libSM\.so": "libsm6",
    r"libXext": "libxext6",
    r"libXrender": "libxrender1",
    r"libxcb\.so": "libxcb1",
    r"libgomp": "libgomp1",
    r"libav\w+\.so|[Ff][Ff]mpeg": "ffmpeg",
}


def install_hint(error: BaseException, packages: tuple[str, ...]) -> str:
    """The command that mends an import or a decoder that failed with ``error``."""
    if packages and not installed(packages):
        return f"{sys.executable} -m pip install {packages[0]}"
    for pattern, debian_packages in DEBIAN_PACKAGES.items():
        if re.search(pattern, str(error)):
            return _install_command(debian_packages)
    return f"{sys.executable} -m pip install --force-reinstall {packages[0]}" if packages else ""


def installed(packages: tuple[str, ...]) -> tuple[str, str] | None:
    """Name and version of the first of these packages that is installed."""
    for name in packages:
        try:
            return name, version(name)
        except PackageNotFoundError:
            continue
    return None


def _install_command(packages: str) -> str:
    """The command that installs Debian's packages, or what to look for on other systems."""
    if shutil.which("apt-get"):
        return f"{'' if os.getuid() == 0 else 'sudo '}apt-get install -y {packages}"
    if sys.platform == "darwin" and packages == "ffmpeg":
        return "brew install ffmpeg"
    return f"install what Debian calls {packages}, by your system's package manager"
