"""Requests that come at the same time go through the network together, and each gets its own scores."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from vidcls.serve.scoring import Scores, ScoringThread


class Counting:
    """Scores a view by its one pixel, and waits for leave with its first batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go, self.has_begun = threading.Event(), threading.Event()

    def by_view(self, streams: dict[str, np.ndarray]) -> Scores:
        self.has_begun.set()
        assert self.may_go.wait(30)
        views = streams["rgb"].reshape(len(streams["rgb"]), -1)[:, 0].astype(np.float32)
        self.batches.append(len(views))
        if (views == 255).any():
            raise ValueError("a view that breaks the network")
        return {"model": np.stack([views, -views], axis=1)}

    def averaged(self, by_view: Scores) -> Scores:
        return {row: scores.mean(axis=0) for row, scores in by_view.items()}


def views(value: int, num_views: int = 2) -> dict[str, np.ndarray]:
    """Of one video: its views have the values ``value``, ``value + 2`` and so on."""
    return {"rgb": np.stack([np.full((3, 1, 2, 2), value + 2 * k, np.uint8) for k in range(num_views)])}


def test_what_waits_is_scored_together_and_shared_out() -> None:
    network = Counting()
    thread = ScoringThread(network, most_views=6)
    first = thread.submit(views(10))
    assert network.has_begun.wait(30)
    others = [thread.submit(views(10 * k)) for k in range(2, 7)]  # wait while the first is scored
    long = thread.submit(views(100, num_views=9))  # more than a batch takes
    network.may_go.set()
    found = [one.result(30)["model"][0] for one in (first, *others, long)]
    assert found == pytest.approx([11, 21, 31, 41, 51, 61, 108])
    assert network.batches == [2, 6, 4, 6, 3]
    assert (thread.num_batches, thread.num_videos) == (4, 7)
    thread.close()


def test_a_network_that_fails_fails_its_batch_and_goes_on() -> None:
    network = Counting()
    network.may_go.set()
    thread = ScoringThread(network)
    with pytest.raises(ValueError, match="breaks the network"):
        thread.submit(views(255, num_views=1)).result(30)
    cancelled = thread.submit(views(1))
    cancelled.cancel()
    assert thread.submit(views(4)).result(30)["model"][0] == 5
    thread.close()
