"""A checkpoint and a video -> class names and scores, the same as the checkpoint's own test gives."""

from __future__ import annotations

from argparse import ArgumentError
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from vidcls.data import InputSettings
from vidcls.data.clip_dataset import stack_views, video_views
from vidcls.data.clip_reader import ClipReader
from vidcls.data.network_input import normalized
from vidcls.errors import CheckpointError, ConfigurationError, DatasetError, FlowError
from vidcls.flow.estimators import estimate_by
from vidcls.models import load_classifier
from vidcls.training.results import MODEL_ROW
from vidcls.training.view_scores import video_scores
from vidcls.types import Batch, Prediction, VideoRecord
from vidcls.video import open_video, windows

Device = Literal["auto", "cpu", "cuda"]


class Predictor:
    """Scores any video with the clips, crops, normalisation and flow of the checkpoint's own test.

    For a file that was tested the scores are those of the test, to 1e-5, with the same best class. Flow is computed
    from the frames with the settings that the model was trained on, whether it was stored then or not::

        predictor = Predictor("runs/two_stream/2026-11-20_10-00-00")
        prediction = predictor("new.mp4")
        prediction.label, prediction.top(3)

    Args:
        path: a checkpoint file, or the folder of a run, whose ``checkpoints/best.ckpt`` is taken.
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
        self.path = checkpoint_file(path)
        self.model = load_classifier(self.path).to(self.device)
        self.class_names = self.model.class_names
        self.input_settings = _input_settings(self.path, self.model.input_settings)
        self.batch_views = batch_views
        self._reader = ClipReader(self.input_settings)
        _check_flow(self.path, self.input_settings)

    def __call__(self, video: str | PathLike[str]) -> Prediction:
        """The scores of a whole video.

        Raises:
            DecodeError: the video is missing or cannot be read.
            DatasetError: it is too short for a clip and the checkpoint was trained to refuse such videos.
        """
        scores = self.scores_by_row(video)[MODEL_ROW]
        num_frames, fps = _length(Path(video))
        return self._prediction(Path(video), scores, (0, num_frames), fps)

    def scores_by_row(self, video: str | PathLike[str]) -> dict[str, tuple[float, ...]]:
        """K probabilities by row of the test's table: ``model``, then its parts (``spatial``) and its fusions.

        Raises:
            DecodeError, DatasetError: as in calling it.
        """
        return {row: tuple(scores.tolist()) for row, scores in self._scores(Path(video), None).items()}

    def timeline(
        self, video: str | PathLike[str], window_seconds: float, hop_seconds: float | None = None
    ) -> list[Prediction]:
        """The scores of each window of a long video, in order of time.

        A window is scored like a video of its own, except that flow at its ends may look at the frames beside it. Only
        the last one is moved back to end with the video, so that all are equally long (a shorter video is one window)::

            0    2    4    6    8    10   11 s          window_seconds=4, hop_seconds=4
            |---------|---------|                       0-4, 4-8 and
                                  |---------|           7-11

        Args:
            video: the file.
            window_seconds: length of a window, rounded to frames.
            hop_seconds: from the start of one window to that of the next, at most ``window_seconds``; None puts them
                end to end.

        Raises:
            DecodeError: as in calling it.
            DatasetError: as in calling it, or the file states no frame rate.
        """
        hop_seconds = window_seconds if hop_seconds is None else hop_seconds
        if not 0 < hop_seconds <= window_seconds < float("inf"):
            raise ValueError(
                f"window_seconds is {window_seconds:g} and hop_seconds {hop_seconds:g}; both must be above 0 and the "
                "hop not longer than the window, or frames are left out"
            )
        path = Path(video)
        num_frames, fps = _length(path)
        if not fps:
            raise DatasetError(f"{path}: the file states no frame rate, so seconds cannot be cut; predict it whole")
        window_len = min(max(1, round(window_seconds * fps)), num_frames)
        hop = min(max(1, round(hop_seconds * fps)), window_len)
        starts = [min(start, num_frames - window_len) for start, _ in windows(num_frames, window_len, hop)]
        ranges = [(start, start + window_len) for start in starts]
        rows = [self._scores(path, frame_range)[MODEL_ROW] for frame_range in ranges]
        return [
            self._prediction(path, tuple(scores.tolist()), frame_range, fps)
            for scores, frame_range in zip(rows, ranges, strict=True)
        ]

    def _prediction(
        self, path: Path, scores: tuple[float, ...], frame_range: tuple[int, int], fps: float
    ) -> Prediction:
        start_seconds, end_seconds = (frame / fps if fps else 0.0 for frame in frame_range)
        return Prediction(path, self.class_names, scores, start_seconds, end_seconds)

    def _scores(self, path: Path, frame_range: tuple[int, int] | None) -> dict[str, Tensor]:
        """Probabilities ``(K,)`` by row, of all views together."""
        record = VideoRecord(path, label="", split="test", name=path.name)
        streams = stack_views(video_views(self._reader, record, frame_range=frame_range))  # (V, C, T, H, W) each
        V = self.input_settings.num_views
        by_row: dict[str, list[Tensor]] = {}
        with torch.inference_mode():
            for start in range(0, V, self.batch_views):
                views = slice(start, start + self.batch_views)
                batch: Batch = {  # type: ignore[assignment]
                    name: stream[None, views].to(self.device) for name, stream in streams.items()
                }
                for row, scores in self.model.score_views(normalized(batch, self.input_settings)).items():
                    by_row.setdefault(row, []).append(scores.cpu())  # (1, V, K)
        rule = self.model.score_rule
        return {row: video_scores(torch.cat(scores, dim=1), rule)[0] for row, scores in by_row.items()}


def checkpoint_file(path: str | PathLike[str]) -> Path:
    """The checkpoint itself, or the best one of a run's folder.

    Raises:
        CheckpointError: the folder is not that of a run that was trained.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    best = path / "checkpoints" / "best.ckpt"
    if not best.is_file():
        raise CheckpointError(
            f"{path}: this folder has no checkpoints/best.ckpt; give a checkpoint file, or the folder of one run "
            "(runs/NAME/TIME)"
        )
    return best


def _length(path: Path) -> tuple[int, float]:
    """Frames, and frames per second (0 where the file states none)."""
    with open_video(path) as video:
        return video.num_frames, video.fps


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
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path}: what it says of its input is not understood ({reason}); use the version of vidcls that wrote it"
        ) from error


def _check_flow(path: Path, settings: InputSettings) -> None:
    """Say now, and once, what no video could change."""
    if settings.flow_settings is None:
        return
    if settings.flow_settings.method == "imported":
        raise FlowError(
            f"{path}: was trained on flow that another program wrote, which cannot be computed for a new video; train "
            "on flow of scripts/precompute_flow.py"
        )
    estimate_by(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), settings.flow_settings)
