"""A video of a client -> its answer, within the limits: read in a process, scored with others, or refused."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vidcls.class_names import label_text
from vidcls.jobs.standing import StandingProcesses
from vidcls.predict.scoring import VideoScorer
from vidcls.serve import reading
from vidcls.serve.limits import Limits
from vidcls.serve.memory import read_in_memory
from vidcls.serve.networks import read_as, views_scorer
from vidcls.serve.reading import ReadSettings, ReadViews
from vidcls.serve.refusal import Refusal, refusal_of
from vidcls.serve.scoring import Scores, ScoringThread
from vidcls.serve.uploads import UploadedVideo
from vidcls.types import MODEL_ROW
from vidcls.video.source import VideoSource

Result = TypeVar("Result")
BUSY = "the server is busy: try again in a few seconds"


def default_workers() -> int:
    """Processes that read videos: one for each core, at most 4."""
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Scored:
    """What is answered of a video, or of a window of it.

    Args:
        name: what the client calls it.
        label: the classes that it is given, as one text.
        scores: probabilities of the model by class.
        rows: probabilities by row of the test's table and class.
        start_seconds: where the scored part begins.
        end_seconds: where it ends.
    """

    name: str
    label: str
    scores: dict[str, float]
    rows: dict[str, dict[str, float]]
    start_seconds: float
    end_seconds: float


class Service:
    """Scores videos for many clients at a time.

    Args:
        model: what :func:`vidcls.predict.open_model.open_model` gives.
        limits: what is accepted.
        num_workers: processes that read videos; by default as many as there are cores, at most 4.
        read: what they do with a video; it can be pickled.
    """

    def __init__(
        self,
        model: VideoScorer,
        limits: Limits,
        *,
        num_workers: int | None = None,
        read: Callable[[VideoSource, ReadSettings], ReadViews] = reading.read_views,
    ) -> None:
        self.model, self.limits = model, limits
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.num_in_work = 0
        self._read_views = read
        self._read_settings = ReadSettings(model.input_settings, limits, read_as(model))
        imported = reading.__name__ if self._read_settings.read_as == "arrays" else "vidcls.clips.reader"
        self._readers = StandingProcesses(self.num_workers, imported)
        for _ in range(self.num_workers):
            self._readers.submit(abs, limits.timeout_seconds, 0)  # they start now, not with the first request
        self._scoring = ScoringThread(views_scorer(model))

    @property
    def device_text(self) -> str:
        """Where the network runs."""
        return self.model.device_text

    def close(self) -> None:
        """End the processes and the thread."""
        self._readers.close()
        self._scoring.close()

    @contextmanager
    def admitted(self) -> Iterator[float]:
        """The time (of ``time.monotonic``) by which the request is to be answered; counts it as in work.

        Raises:
            Refusal: there are as many as the limit allows.
        """
        if self.num_in_work >= self.limits.max_queue:
            raise Refusal(503, "busy", f"{self.limits.max_queue} requests are in work, the most here: {BUSY}")
        self.num_in_work += 1
        try:
            yield time.monotonic() + self.limits.timeout_seconds
        finally:
            self.num_in_work -= 1

    async def scored(self, source: VideoSource, deadline: float) -> Scored:
        """The scores of a whole video.

        Raises:
            Refusal: it cannot be read, is beyond a limit, or is not scored in time.
        """
        views = await self._read(self._read_views, source, deadline)
        return self._said(source, views, await self._scores(source, views, deadline))

    async def timeline(self, source: VideoSource, deadline: float) -> list[Scored]:
        """The scores of its windows, in order of time.

        Raises:
            Refusal: as of `scored`.
        """
        windows = await self._read(reading.read_windows, source, deadline)
        scores = [self._scoring.submit(views.streams) for views in windows]
        found = [await self.within(future, source, deadline) for future in scores]
        return [self._said(source, views, one) for views, one in zip(windows, found, strict=True)]

    async def within(self, future: Future[Result], source: VideoSource, deadline: float) -> Result:
        """The result of a job on a video.

        Raises:
            Refusal: it failed, or did not end by the deadline, and was given up.
        """
        waiting = asyncio.wrap_future(future)
        done, _ = await asyncio.wait([waiting], timeout=max(0.0, deadline - time.monotonic()))
        if not done:
            waiting.cancel()
            raise Refusal(503, "busy", f"not answered within {self.limits.timeout_seconds:g} s: {BUSY}")
        if waiting.cancelled():
            raise Refusal(503, "stopping", "the server is stopping; try again in a moment")
        error = waiting.exception()
        if error is not None:
            path = str(source.path) if isinstance(source, UploadedVideo) else ""
            raise refusal_of(error, source.name, path) from error
        return waiting.result()

    async def _read(
        self, job: Callable[[VideoSource, ReadSettings], Result], source: VideoSource, deadline: float
    ) -> Result:
        try:
            future = self._readers.submit(read_in_memory, self.limits.decode_seconds, job, source, self._read_settings)
        except RuntimeError as error:
            raise Refusal(503, "stopping", "the server is stopping; try again in a moment") from error
        return await self.within(future, source, deadline)

    async def _scores(self, source: VideoSource, views: ReadViews, deadline: float) -> Scores:
        return await self.within(self._scoring.submit(views.streams), source, deadline)

    def _said(self, source: VideoSource, views: ReadViews, scores: Scores) -> Scored:
        names = self.model.class_names
        if not all(bool(np.isfinite(found).all()) for found in scores.values()):
            raise Refusal(500, "model", f"{source.name}: its scores are NaN or infinite; the model is of no use")
        decided = self.model.decision.applied(scores, self.model.task)
        rows = {row: dict(zip(names, found.tolist(), strict=True)) for row, found in decided.items()}
        label = label_text(self.model.answer(decided[MODEL_ROW]))
        return Scored(source.name, label, rows[MODEL_ROW], rows, views.start_seconds, views.end_seconds)
