"""After an installation: make ``import cv2`` work on machines without a screen, or say what is missing.

opencv-python needs libGL and glib, which servers and containers often lack. opencv-python-headless is the same release
of the same ``cv2`` without windows, and vidcls opens none, so it takes its place there.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys


def main() -> int:
    """Import cv2 in a process of its own; where a system library is missing, install the headless build over it."""
    if _imports():
        return 0
    version = importlib.metadata.version("opencv-python")
    print(f"opencv-python {version} lacks a system library here; installing opencv-python-headless over it")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps"]
    subprocess.run([*pip, f"opencv-python-headless=={version}"], check=False)
    if _imports():
        return 0
    print("cv2 still does not import: apt-get install libgl1 libglib2.0-0, then make setup again", file=sys.stderr)
    return 1


def _imports() -> bool:
    return subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
