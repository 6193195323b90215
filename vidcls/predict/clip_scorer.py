"""What reads clips and scores them -> the scores of whole videos and of the windows of long ones; no torch in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidcls.clips.indices import ClipIndices
from vidcls.clips.planning import ClipPlanner
from vidcls.clips.settings import InputSettings
from vidcls.errors import CheckpointError
from vidcls.predict.one_video import record_of
from vidcls.predict.prediction import Prediction
from vidcls.predict.scoring import check_unknown
from vidcls.tasks import Task
from vidcls.tasks.decision import Decision
from vidcls.types import MODEL_ROW, VideoRecord
from vidcls.video import Video, VideoReader, open_video
from vidcls.video.in_order import in_order, open_in_order, open_to_share
from vidcls.video.source import AnyVideo, VideoSource, path_or_name
from vidcls.video.timing import frame_times, seconds_of
from vidcls.video_part import VideoPart

Clip = TypeVar("Clip")
Scores = dict[str, tuple[float, ...]]
"""K numbers by row of the test's table."""
ROUNDING = 1e-2
"""By how much a probability in half precision may pass 0 or 1."""


class ReadsClips(Protocol[Clip]):
    """Reads the clips of videos, as tensors or as arrays."""

    @property
    def planner(self) -> ClipPlanner:
        """Which frames they are made of."""

    def test_clips(self, record: VideoRecord) -> list[Clip]:
        """The clips of a video."""

    def pixels(self, video: VideoReader, record: VideoRecord, clips: Sequence[ClipIndices]) -> list[Clip]:
        """The clips of an open video."""


class ClipScorer(ABC, Generic[Clip]):
    """The part of a :class:`vidcls.predict.scoring.VideoScorer` that is about videos, whatever computes the network.

    Args:
        path: the file of the model.
        task: what its labels mean, and the names of the classes.
        input_settings: how a video becomes the input of the network.
        decision: what turns the mean of the views into an answer.
        reader: reads clips by these settings.
    """

    def __init__(
        self, path: Path, task: Task, input_settings: InputSettings, decision: Decision, reader: ReadsClips[Clip]
    ) -> None:
        self.path = path
        self.task = task
        self.class_names = task.class_names
        self.input_settings = input_settings
        self.decision = decision
        self.says_unknown = False
        """Whether an answer may be ``unknown``; see :meth:`say_unknown`."""
        self._reader = reader

    @property
    @abstractmethod
    def device_text(self) -> str:
        """Where the network runs, in words."""

    @abstractmethod
    def _scores_of(self, clips: Sequence[Clip]) -> Scores:
        """Probabilities by row, of all views together, as the network gives them."""

    def say_unknown(self) -> None:
        """Answer ``unknown`` from now on where the largest probability is below what was chosen on validation.

        Raises:
            ConfigurationError: nothing was chosen, or a class is called so.
        """
        check_unknown(self, remedy="train with --model.decision.unknown max_probability")
        self.says_unknown = True

    def answer(self, scores: NDArray[np.floating]) -> tuple[str, ...]:
        """The classes that a video of these probabilities ``(K,)`` is given, at the temperature of the model."""
        return self.decision.answer(scores, self.task, says_unknown=self.says_unknown)

    def open(self, video: AnyVideo) -> AbstractContextManager[Video | VideoSource]:
        """A video to be passed on, several times, in place of its source, so that it is opened once.

        Where its decoder would fill the memory meanwhile, it is the source.

        Raises:
            DecodeError: the video is missing or cannot be read.
        """
        return open_to_share(video, self.input_settings.decoder)

    def __call__(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> Prediction:
        """The scores of a whole video, or of a part of it, as the test of such a part gives them.

        Args:
            video: the path of a file or an address, the bytes of one, an open binary file, frames ``(T, H, W, 3)``
                uint8 RGB (at 25 per second; :class:`vidcls.video.FramesInMemory` takes another rate), or an open video.
            part: from when to when, such as ``vidcls.VideoPart(1.5, 3.0)``; None for all of it.

        Raises:
            DecodeError: the video is missing or cannot be read.
            ValueError: frames have another shape or type.
            DatasetError: it is too short for a clip and the checkpoint was trained to refuse such videos, or the part
                is not in it.
            CheckpointError: the network answers with NaN or infinity.
        """
        with self._opened(video) as opened:
            record = record_of(opened, part)
            clips = self._reader.pixels(opened, record, self._reader.planner.test_indices(opened, record))
            start_seconds, end_seconds = seconds_of(opened, part)
            name = path_or_name(opened.source)
        return self.prediction_of(name, clips, start_seconds=start_seconds, end_seconds=end_seconds)

    def scores_by_row(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> dict[str, tuple[float, ...]]:
        """K probabilities by row of the test's table: ``model``, then its parts (``spatial``) and its fusions.

        Raises:
            DecodeError, DatasetError, CheckpointError: as in calling it.
        """
        record = record_of(video, part)
        return self._scores(path_or_name(record.source), self._reader.test_clips(record))

    def prediction_of(
        self, path: Path | str, clips: Sequence[Clip], *, start_seconds: float = 0.0, end_seconds: float = 0.0
    ) -> Prediction:
        """The scores of clips that were read from a video by the settings of the model.

        Raises:
            CheckpointError: the network answers with NaN or infinity.
        """
        scores = self._scores(path, clips)[MODEL_ROW]
        classes = self.answer(np.array(scores, dtype=np.float32))
        return Prediction(path, self.class_names, scores, start_seconds, end_seconds, classes)

    def timeline(
        self, video: AnyVideo | Video, window_seconds: float, hop_seconds: float | None = None
    ) -> list[Prediction]:
        """The scores of each window of a long video, in order of time; see :meth:`each_window`."""
        return list(self.each_window(video, window_seconds, hop_seconds))

    def each_window(
        self,
        video: AnyVideo | Video,
        window_seconds: float,
        hop_seconds: float | None = None,
        *,
        progress: Callable[[int], object] = int,
    ) -> Iterator[Prediction]:
        """The scores of each window of a long video as they come, in order of time.

        A window is scored like a video of its own, except that flow at its ends may look at the frames beside it. Only
        the last one is moved back to end with the video, so that all are equally long (a shorter video is one window)::

            0    2    4    6    8    10   11 s          window_seconds=4, hop_seconds=4
            |---------|---------|                       0-4, 4-8 and
                                  |---------|           7-11

        The video is opened once and decoded in order, so that memory does not depend on its length. Seconds are those
        at which its frames are shown, whatever their rate.

        Args:
            video: the file, or what :meth:`open` gives.
            window_seconds: length of a window, rounded to frames where these are shown evenly.
            hop_seconds: from the start of one window to that of the next, at most ``window_seconds``; None puts them
                end to end.
            progress: is told the number of windows before the first one is scored.

        Raises:
            DecodeError: as in calling it, or the file states neither a frame rate nor the times of its frames.
            DatasetError, CheckpointError: as in calling it.
        """
        hop_seconds = window_seconds if hop_seconds is None else hop_seconds
        if not 0 < hop_seconds <= window_seconds < float("inf"):
            raise ValueError(
                f"window_seconds is {window_seconds:g} and hop_seconds {hop_seconds:g}; both must be above 0 and the "
                "hop not longer than the window, or frames are left out"
            )
        return self._each_window(video, window_seconds, hop_seconds, progress)

    def _each_window(
        self, video: AnyVideo | Video, window_seconds: float, hop_seconds: float, progress: Callable[[int], object]
    ) -> Iterator[Prediction]:
        reader = self._reader
        with self._opened(video, in_order=True) as opened:
            record, name = record_of(opened), path_or_name(opened.source)
            windows = frame_times(opened).windows(window_seconds, hop_seconds)
            progress(len(windows))
            planned: deque[list[ClipIndices]] = deque()  # of the windows whose frames were asked for

            def needed() -> Iterator[set[int]]:
                for window in windows:
                    planned.append(reader.planner.test_indices(opened, record, frame_range=(window.first, window.stop)))
                    yield reader.planner.frames_of(planned[-1])

            for window, held in zip(windows, in_order(opened, needed()), strict=True):
                clips = reader.pixels(held, record, planned.popleft())
                yield self.prediction_of(
                    name, clips, start_seconds=window.start_seconds, end_seconds=window.end_seconds
                )

    def _opened(self, video: AnyVideo | Video, *, in_order: bool = False) -> AbstractContextManager[Video]:
        """The video that is open already, which stays open; any other is opened, and closed in the end."""
        if isinstance(video, Video):
            return nullcontext(video)
        return (open_in_order if in_order else open_video)(video, self.input_settings.decoder)

    def _scores(self, path: Path | str, clips: Sequence[Clip]) -> Scores:
        found = self._scores_of(clips)
        if not all(isfinite(score) for scores in found.values() for score in scores):
            raise CheckpointError(
                f"{self.path}: its scores of {path} are NaN or infinite, so that they mean nothing; use a checkpoint "
                "from before the training diverged, or train again with a smaller learning rate"
            )
        if not all(-ROUNDING <= score <= 1 + ROUNDING for scores in found.values() for score in scores):
            raise CheckpointError(
                f"{self.path}: its scores of {path} are not probabilities from 0 to 1: the file was changed after it "
                "was written; export it again with vidcls export"
            )
        if not self.decision.is_tempered:
            return found
        arrays = {row: np.array(scores, dtype=np.float32) for row, scores in found.items()}
        return {row: tuple(scores.tolist()) for row, scores in self.decision.applied(arrays, self.task).items()}
