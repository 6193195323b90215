"""One thread for everything that computes, and as many as before afterwards."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_info

from vidcls.threads import one_thread


def test_within_the_block_one_thread_computes() -> None:
    before = torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]
    with one_thread():
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    assert (torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]) == before
