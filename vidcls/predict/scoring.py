"""What scores videos, whatever holds its network: a checkpoint, an ONNX file or an exported program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vidcls.clips.settings import InputSettings
from vidcls.errors import ConfigurationError
from vidcls.predict.prediction import Prediction
from vidcls.tasks import Task
from vidcls.tasks.decision import UNKNOWN, Decision
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidcls.video import Video
    from vidcls.video.source import AnyVideo, VideoSource


class VideoScorer(Protocol):
    """Scores any video with the clips, crops and flow of the test of its model.

    :func:`vidcls.predict.open_model.open_model` makes one of a file. Errors are those of
    :class:`vidcls.predict.Predictor`.
    """

    @property
    def path(self) -> Path:
        """The file of the model."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names in the order of the scores."""

    @property
    def task(self) -> Task:
        """What its labels mean."""

    @property
    def decision(self) -> Decision:
        """What turns the mean of the views into an answer."""

    @property
    def input_settings(self) -> InputSettings:
        """How a video becomes the input of the network."""

    @property
    def device_text(self) -> str:
        """Where the network runs, in words."""

    def say_unknown(self) -> None:
        """Answer ``unknown`` from now on where that was chosen."""

    def answer(self, scores: NDArray[np.floating]) -> tuple[str, ...]:
        """The classes that a video of these probabilities is given."""

    def open(self, video: AnyVideo) -> AbstractContextManager[Video | VideoSource]:
        """A video to be passed on, several times, in place of its source, so that it is opened once."""

    def __call__(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> Prediction:
        """The scores of a whole video, or of a part of it."""

    def scores_by_row(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> dict[str, tuple[float, ...]]:
        """K probabilities by row of the test's table: ``model``, then its parts and its fusions."""

    def prediction_of(
        self, path: Path | str, clips: Sequence[Any], *, start_seconds: float = 0.0, end_seconds: float = 0.0
    ) -> Prediction:
        """The scores of clips that were read from a video by the settings of the model."""

    def timeline(
        self, video: AnyVideo | Video, window_seconds: float, hop_seconds: float | None = None
    ) -> list[Prediction]:
        """The scores of each window of a long video, in order of time."""

    def each_window(
        self,
        video: AnyVideo | Video,
        window_seconds: float,
        hop_seconds: float | None = None,
        *,
        progress: Callable[[int], object] = int,
    ) -> Iterator[Prediction]:
        """The scores of each window of a long video as they come, in order of time."""


def check_unknown(scorer: VideoScorer, *, remedy: str) -> None:
    """Refuse to say ``unknown`` where no threshold was chosen for it.

    Args:
        scorer: is to say it.
        remedy: how its model gets a threshold, for the message.

    Raises:
        ConfigurationError: nothing was chosen, or a class is called so.
    """
    if UNKNOWN in scorer.class_names:
        raise ConfigurationError(f"{scorer.path}: has a class called {UNKNOWN}: leave --unknown out, or rename it")
    if scorer.decision.unknown_below is None:
        raise ConfigurationError(
            f"{scorer.path}: has no threshold for unknown videos: {remedy}, or leave --unknown out"
        )
