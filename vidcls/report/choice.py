"""So many of N things, spread evenly."""

from __future__ import annotations

import numpy as np


def evenly(num: int, most: int) -> list[int]:
    """At most ``most`` of ``num`` positions, the first and the last among them, in order."""
    return sorted(set(np.linspace(0, num - 1, min(num, most)).round().astype(int).tolist())) if num else []
