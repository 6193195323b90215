"""Compute the optical flow of all videos of a data set or a folder once, and store it; the same as ``vidcls flow``.

python scripts/precompute_flow.py --data.dataset VideoCsv --data.dataset.path clips.csv --output flow --num_workers 4
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vidcls.cli import main as vidcls


def main(words: Sequence[str] | None = None) -> int:
    """Run ``vidcls flow`` with these words, or with those of the command line; returns the exit status."""
    return vidcls(["flow", *(sys.argv[1:] if words is None else words)])


if __name__ == "__main__":
    sys.exit(main())
