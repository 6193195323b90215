"""Several models and a video -> the scores that they give together, each with clips of its own; no torch in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from vidcls.clips.settings import InputSettings
from vidcls.errors import ConfigurationError
from vidcls.predict.clip_scorer import Scores
from vidcls.predict.prediction import Prediction
from vidcls.predict.scoring import VideoScorer, check_unknown
from vidcls.tasks import Task
from vidcls.tasks.decision import Decision
from vidcls.tasks.ensemble import Ensemble
from vidcls.types import MODEL_ROW
from vidcls.video import Video
from vidcls.video.source import AnyVideo, VideoSource, source_of
from vidcls.video_part import VideoPart


class EnsemblePredictor:
    """A :class:`vidcls.predict.scoring.VideoScorer` of the members of an ensemble.

    Every member reads the video by itself, since no two need see the same frames.

    Args:
        path: the file.
        ensemble: how they answer together.
        members: in the order of their names.
    """

    def __init__(self, path: Path, ensemble: Ensemble, members: Sequence[VideoScorer]) -> None:
        self.path = path
        self.ensemble = ensemble
        self.members = tuple(members)
        self.says_unknown = False
        """Whether an answer may be ``unknown``; see :meth:`say_unknown`."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names in the order of the scores."""
        return self.ensemble.class_names

    @property
    def input_settings(self) -> InputSettings:
        """How a video becomes the input of the first member."""
        return self.members[0].input_settings

    @property
    def task(self) -> Task:
        """What its labels mean."""
        return self.ensemble.task

    @property
    def decision(self) -> Decision:
        """That of the ensemble: what members chose has had its effect on their scores."""
        return self.ensemble.decision

    def say_unknown(self) -> None:
        """Answer ``unknown`` from now on where the largest probability is below what was chosen on validation.

        Raises:
            ConfigurationError: nothing was chosen, or a class is called so.
        """
        how = "vidcls ensemble --unknown max_probability, which takes 10 common validation videos"
        check_unknown(self, remedy=f"make it again with {how}")
        self.says_unknown = True

    def answer(self, scores: NDArray[np.floating]) -> tuple[str, ...]:
        """The classes that a video of these probabilities ``(K,)`` is given."""
        return self.decision.answer(scores, self.task, says_unknown=self.says_unknown)

    @property
    def device_text(self) -> str:
        """Where the networks run, in words."""
        return self.members[0].device_text

    def open(self, video: AnyVideo) -> AbstractContextManager[Video | VideoSource]:
        """The source of the video: each member opens it with a decoder of its own."""
        return nullcontext(source_of(video))

    def __call__(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> Prediction:
        """The scores of a whole video, or of a part of it."""
        return self._together([member(video, part=part) for member in self.members])

    def scores_by_row(self, video: AnyVideo | Video, *, part: VideoPart | None = None) -> Scores:
        """K probabilities by row of the test's table: ``model``, then the members by name."""
        by_member = [
            self.ensemble.in_order(np.array(member.scores_by_row(video, part=part)[MODEL_ROW]), member.class_names)
            for member in self.members
        ]
        rows = {MODEL_ROW: self.ensemble.combined(np.stack(by_member))}
        rows |= dict(zip(self.ensemble.names, by_member, strict=True))
        return {row: tuple(scores.tolist()) for row, scores in rows.items()}

    def prediction_of(
        self, path: Path | str, clips: Sequence[Any], *, start_seconds: float = 0.0, end_seconds: float = 0.0
    ) -> NoReturn:
        """Not possible: each member needs clips of its own.

        Raises:
            ConfigurationError: always.
        """
        del path, clips, start_seconds, end_seconds
        self.refuse("this")

    def refuse(self, what: str) -> NoReturn:
        """Say that something scores clips that it reads itself.

        Args:
            what: it is, for the message.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            f"{self.path}: is an ensemble, whose members each read a video by themselves, so that {what} does not go "
            "with it: pass one of its members, or predict files with vidcls predict"
        )

    def timeline(
        self, video: AnyVideo | Video, window_seconds: float, hop_seconds: float | None = None
    ) -> list[Prediction]:
        """The scores of each window of a long video, in order of time."""
        return list(self.each_window(video, window_seconds, hop_seconds))

    def each_window(
        self,
        video: AnyVideo | Video,
        window_seconds: float,
        hop_seconds: float | None = None,
        *,
        progress: Callable[[int], object] = int,
    ) -> Iterator[Prediction]:
        """The scores of each window of a long video as they come, in order of time; windows are those of any member."""
        first, *others = self.members
        windows = [
            first.each_window(video, window_seconds, hop_seconds, progress=progress),
            *(member.each_window(video, window_seconds, hop_seconds) for member in others),
        ]
        for predictions in zip(*windows, strict=True):
            yield self._together(predictions)

    def _together(self, predictions: Sequence[Prediction]) -> Prediction:
        by_member = [self.ensemble.in_order(np.array(p.scores), p.class_names) for p in predictions]
        scores = self.ensemble.combined(np.stack(by_member))  # (K,)
        first = predictions[0]
        return Prediction(
            first.path,
            self.class_names,
            tuple(scores.tolist()),
            first.start_seconds,
            first.end_seconds,
            self.answer(scores),
        )
