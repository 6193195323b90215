"""Compute the optical flow of all videos of a data set or a folder once, and store it; the same as ``vidcls flow``.

python scripts/precompute_flow.py --data.dataset VideoCsv --data.dataset.path clips.csv --output flow --workers 4
"""

from __future__ import annotations

import sys

from vidcls.cli.flow import main

if __name__ == "__main__":
    sys.exit(main())
