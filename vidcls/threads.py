"""How many threads compute: one, where several would give other digits or stand in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """While the block runs, torch and the linear algebra of NumPy and SciPy compute on one thread.

    Sums of several threads are added in another order; and threads of two libraries that wait for work by turning in
    circles take the cores from each other.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
