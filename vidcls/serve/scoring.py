"""Views of several requests -> the scores of each video, from one network that takes them together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidcls.serve.reading import Streams

MOST_VIEWS = 32
"""Views that go through the network at once, as in ``vidcls predict``."""

Scores = dict[str, NDArray[np.float32]]
"""Probabilities by row of the test's table: ``model``, then its parts and its fusions."""


class ViewScorer(Protocol):
    """A network that scores views."""

    def by_view(self, streams: Streams) -> Scores:
        """``(V, K)`` by row, of views of any videos."""

    def averaged(self, by_view: Scores) -> Scores:
        """``(K,)`` by row, of the views of one video."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    streams: Streams
    num_views: int
    answer: Future[Scores]


class ScoringThread:
    """One thread that asks the network, so that requests which come at the same time go through it together.

    It takes what waits, up to ``most_views``, and never waits for more: a lone request is answered at once, and under
    load batches grow by themselves.

    Args:
        scorer: the network.
        most_views: of a batch.
    """

    def __init__(self, scorer: ViewScorer, *, most_views: int = MOST_VIEWS) -> None:
        self._scorer, self._most_views = scorer, most_views
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self.num_batches = self.num_videos = 0
        self._thread = threading.Thread(target=self._work, name="scoring", daemon=True)
        self._thread.start()

    def submit(self, streams: Streams) -> Future[Scores]:
        """The future of the scores of one video; views ``(V, C, T, H, W)`` by stream."""
        waiting = _Waiting(streams, len(next(iter(streams.values()))), Future())
        self._queue.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Answer what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        late: _Waiting | None = None  # did not fit into the batch before
        while True:
            first = late or self._queue.get()
            late = None
            if first is None:
                return
            batch, num_views, has_ended = [first], first.num_views, False
            while num_views < self._most_views:
                try:
                    other = self._queue.get_nowait()
                except queue.Empty:
                    break
                if other is None:
                    has_ended = True
                    break
                if num_views + other.num_views > self._most_views:
                    late = other
                    break
                batch.append(other)
                num_views += other.num_views
            self._answer([one for one in batch if one.answer.set_running_or_notify_cancel()])
            if has_ended:
                return

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            found = self._scores(batch)
        except Exception as error:  # noqa: BLE001 - each request says what went wrong, and the thread goes on
            for one in batch:
                one.answer.set_exception(error)
            return
        self.num_batches += 1
        self.num_videos += len(batch)
        for one, scores in zip(batch, found, strict=True):
            one.answer.set_result(scores)

    def _scores(self, batch: Sequence[_Waiting]) -> list[Scores]:
        together = {name: np.concatenate([one.streams[name] for one in batch]) for name in batch[0].streams}
        num_views = sum(one.num_views for one in batch)
        parts = [
            self._scorer.by_view({name: stream[k : k + self._most_views] for name, stream in together.items()})
            for k in range(0, num_views, self._most_views)
        ]
        rows = {row: np.concatenate([part[row] for part in parts]) for row in parts[0]}  # (V, K) each
        ends = [*accumulate(one.num_views for one in batch)]
        spans = zip([0, *ends], ends, strict=False)
        return [self._scorer.averaged({row: scores[a:b] for row, scores in rows.items()}) for a, b in spans]
