"""A checkpoint and a video -> class names and scores, the same as the checkpoint's own test gives."""

from __future__ import annotations

from argparse import ArgumentError
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from vidcls.clips import InputSettings
from vidcls.clips.indices import ClipIndices
from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import CheckpointError, ConfigurationError, FlowError, first_line
from vidcls.flow.estimators import estimate_by
from vidcls.inference import Scorer
from vidcls.models import VideoClassifier, load_classifier
from vidcls.predict.one_video import record_of
from vidcls.predict.prediction import Prediction
from vidcls.runs.trained_model import checkpoint_of
from vidcls.training.results import MODEL_ROW
from vidcls.transforms import ClipPixels
from vidcls.video import Video, open_video
from vidcls.video.in_order import in_order, open_in_order, open_to_share
from vidcls.video.source import AnyVideo, VideoSource
from vidcls.video.timing import frame_times

Device = Literal["auto", "cpu", "cuda"]


class Predictor:
    """Scores any video with the clips, crops, normalisation and flow of the checkpoint's own test.

    For a file that was tested the scores are those of the test, to 1e-5, with the same best class. Flow is computed
    from the frames with the settings that the model was trained on, whether it was stored then or not::

        predictor = Predictor("best")
        prediction = predictor("new.mp4")
        prediction.label, prediction.top(3)

    Args:
        path: ``best`` or ``last`` of the newest training below ``runs``, ``runs/NAME`` (the best of its newest
            training), the folder of a run (its best), or a checkpoint file; see :mod:`vidcls.runs.trained_model`.
        device: where the network runs; ``auto`` takes a CUDA GPU where there is one.
        batch_views: views (clips x crops of a video) that go through the network at once.

    Raises:
        CheckpointError: the checkpoint is missing, is not one of vidcls, or does not say how a video becomes its input.
        ConfigurationError: ``device`` is cuda and there is none.
        FlowError: its flow was made by another program, or the weights of its method could not be had.
        MissingExtraError: its flow method needs a package that is not installed.
    """

    def __init__(self, path: str | PathLike[str], *, device: Device = "auto", batch_views: int = 32) -> None:
        if batch_views < 1:
            raise ValueError(f"batch_views is {batch_views}; it must be 1 or more")
        self.device = _torch_device(device)
        self.path = checkpoint_of(path)
        self.model = load_classifier(self.path).to(self.device)
        self.class_names = self.model.class_names
        self.input_settings = _input_settings(self.path, self.model.input_settings)
        self.batch_views = batch_views
        self.scorer = Scorer.of(self.model, self.input_settings)
        self._reader = ClipReader(self.input_settings)
        _check_input(self.path, self.model, self.input_settings)

    def open(self, video: AnyVideo) -> AbstractContextManager[Video | VideoSource]:
        """A video to be passed on, several times, in place of its source, so that it is opened once.

        Where its decoder would fill the memory meanwhile, it is the source.

        Raises:
            DecodeError: the video is missing or cannot be read.
        """
        return open_to_share(video, self.input_settings.decoder)

    def __call__(self, video: AnyVideo | Video) -> Prediction:
        """The scores of a whole video.

        Args:
            video: the path of a file, the bytes of one, an open binary file, frames ``(T, H, W, 3)`` uint8 RGB (at 25
                per second; :class:`vidcls.video.FramesInMemory` takes another rate), or an open video.

        Raises:
            DecodeError: the video is missing or cannot be read.
            ValueError: frames have another shape or type.
            DatasetError: it is too short for a clip and the checkpoint was trained to refuse such videos.
            CheckpointError: the network answers with NaN or infinity.
        """
        with self._opened(video) as opened:
            record = record_of(opened)
            clips = self._reader.pixels(opened, record, self._reader.test_indices(opened, record))
            end_seconds = frame_times(opened).end_seconds if opened.fps else 0.0
            name = Path(opened.name)
        return self.prediction_of(name, clips, end_seconds=end_seconds)

    def scores_by_row(self, video: AnyVideo | Video) -> dict[str, tuple[float, ...]]:
        """K probabilities by row of the test's table: ``model``, then its parts (``spatial``) and its fusions.

        Raises:
            DecodeError, DatasetError, CheckpointError: as in calling it.
        """
        record = record_of(video)
        clips = self._reader.test_clips(record)
        return {row: tuple(scores.tolist()) for row, scores in self._scores(record.path, clips).items()}

    def prediction_of(
        self, path: Path, clips: Sequence[ClipPixels], *, start_seconds: float = 0.0, end_seconds: float = 0.0
    ) -> Prediction:
        """The scores of clips that were read from a video by the settings of the checkpoint.

        Raises:
            CheckpointError: the network answers with NaN or infinity.
        """
        scores = self._scores(path, clips)[MODEL_ROW]
        classes = self.model.task.answer(scores)
        return Prediction(path, self.class_names, tuple(scores.tolist()), start_seconds, end_seconds, classes)

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
            record, name = record_of(opened), Path(opened.name)
            windows = frame_times(opened).windows(window_seconds, hop_seconds)
            progress(len(windows))
            planned: deque[list[ClipIndices]] = deque()  # of the windows whose frames were asked for

            def needed() -> Iterator[set[int]]:
                for window in windows:
                    planned.append(reader.test_indices(opened, record, frame_range=(window.first, window.stop)))
                    yield reader.frames_of(planned[-1])

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

    def _scores(self, path: Path, clips: Sequence[ClipPixels]) -> dict[str, Tensor]:
        """Probabilities ``(K,)`` by row, of all views together."""
        views = stack_views(views_of(clips, self.input_settings))  # (V, C, T, H, W) each
        with torch.inference_mode():
            of_video = self.scorer.video(views, batch_views=self.batch_views)
        if not all(bool(scores.isfinite().all()) for scores in of_video.values()):
            raise CheckpointError(
                f"{self.path}: its scores of {path} are NaN or infinite, so that they mean nothing; use a checkpoint "
                "from before the training diverged, or train again with a smaller learning rate"
            )
        return of_video


def load(path: str | PathLike[str] = "best", *, device: Device = "auto") -> Predictor:
    """A trained model that scores videos: ``vidcls.load("best")("new.mp4").label``.

    Args:
        path: a checkpoint file, or a run, whose best checkpoint is taken; ``best`` and ``last`` are those of the newest
            run below ``runs``.
        device: where the network runs; ``auto`` takes a CUDA GPU where there is one.

    Raises:
        CheckpointError, ConfigurationError, FlowError, MissingExtraError: as :class:`Predictor`.
    """
    return Predictor(path, device=device)


def _torch_device(device: Device) -> torch.device:
    if device not in get_args(Device):
        raise ValueError(f"device is {device!r}; allowed are {', '.join(get_args(Device))}")
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigurationError("device cuda: no CUDA GPU can be used here; use auto or cpu, and see vidcls doctor")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def _input_settings(path: Path, plain: dict[str, object] | None) -> InputSettings:
    if plain is None:
        raise CheckpointError(
            f"{path}: does not say how a video becomes its input, for it was trained without the data module of "
            "vidcls; train it with VideoDataModule, or with vidcls fit"
        )
    try:
        return InputSettings.from_dict(plain)
    except (ArgumentError, KeyError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise CheckpointError(
            f"{path}: what it says of its input is not understood ({reason}); use the version of vidcls that wrote it"
        ) from error


def _check_input(path: Path, model: VideoClassifier, settings: InputSettings) -> None:
    """Say now, and once, what no video could change: the streams of the class are others, or flow cannot be had."""
    changed = [stream.plain() for stream in model.streams if stream not in settings.streams]
    if changed:
        raise CheckpointError(
            f"{path}: its model {type(model).__name__} now sees {changed[0]}, but was trained on "
            f"{[stream.plain() for stream in settings.streams]}: use the version of the class that wrote it"
        )
    if settings.flow_settings is None:
        return
    if settings.flow_settings.method == "imported":
        raise FlowError(
            f"{path}: was trained on flow that another program wrote, which cannot be computed for a new video; train "
            "on flow of scripts/precompute_flow.py"
        )
    estimate_by(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), settings.flow_settings)
