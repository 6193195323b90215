"""A checkpoint and a video -> class names and scores, the same as the checkpoint's own test gives."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import get_args

import torch

from vidcls.clips import InputSettings
from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import CheckpointError, ConfigurationError, EnsembleFileError, FlowError, first_line
from vidcls.flow.estimators import estimate_by
from vidcls.inference import Scorer
from vidcls.models import VideoClassifier
from vidcls.models.build import build_classifier
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.predict.clip_scorer import ClipScorer, Scores
from vidcls.predict.ensemble_predictor import EnsemblePredictor
from vidcls.predict.open_model import Device, open_ensemble
from vidcls.runs.trained_model import checkpoint_of
from vidcls.transforms import ClipPixels


class Predictor(ClipScorer[ClipPixels]):
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
        facts: what was read of the checkpoint already; None reads it.

    Raises:
        CheckpointError: the checkpoint is missing, is not one of vidcls, or does not say how a video becomes its input.
        ConfigurationError: ``device`` is cuda and there is none.
        FlowError: its flow was made by another program, or the weights of its method could not be had.
        MissingExtraError: its flow method needs a package that is not installed.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        device: Device = "auto",
        batch_views: int = 32,
        facts: CheckpointFacts | None = None,
    ) -> None:
        if batch_views < 1:
            raise ValueError(f"batch_views is {batch_views}; it must be 1 or more")
        self.device = _torch_device(device)
        checkpoint = checkpoint_of(path) if facts is None else facts.path
        self.model = build_classifier(facts or read_checkpoint(checkpoint)).to(self.device)
        settings = input_settings_of(checkpoint, self.model.input_settings)
        super().__init__(checkpoint, self.model.task, settings, self.model.decision, ClipReader(settings))
        self.batch_views = batch_views
        self.scorer = Scorer.of(self.model, settings)
        _check_input(checkpoint, self.model, settings)

    @property
    def device_text(self) -> str:
        """Where the network runs, in words."""
        return f"cuda ({torch.cuda.get_device_name(self.device)})" if self.device.type == "cuda" else "cpu"

    def _scores_of(self, clips: Sequence[ClipPixels]) -> Scores:
        views = stack_views(views_of(clips, self.input_settings))  # (V, C, T, H, W) each
        with torch.inference_mode():
            of_video = self.scorer.video(views, batch_views=self.batch_views)
        return {row: tuple(scores.tolist()) for row, scores in of_video.items()}


def load(path: str | PathLike[str] = "best", *, device: Device = "auto") -> Predictor | EnsemblePredictor:
    """A trained model that scores videos: ``vidcls.load("best")("new.mp4").label``.

    Args:
        path: a checkpoint file, or a run, whose best checkpoint is taken; ``best`` and ``last`` are those of the newest
            run below ``runs``.
        device: where the network runs; ``auto`` takes a CUDA GPU where there is one.

    Raises:
        CheckpointError, ConfigurationError, FlowError, MissingExtraError: as :class:`Predictor`.
    """
    try:
        return Predictor(path, device=device)
    except EnsembleFileError:
        return open_ensemble(path, device=device)


def _torch_device(device: Device) -> torch.device:
    if device not in get_args(Device):
        raise ValueError(f"device is {device!r}; allowed are {', '.join(get_args(Device))}")
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigurationError("device cuda: no CUDA GPU can be used here; use auto or cpu, and see vidcls doctor")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def input_settings_of(path: Path, plain: dict[str, object] | None) -> InputSettings:
    """How a video becomes the input of a network, as its checkpoint keeps it.

    Raises:
        CheckpointError: it does not say so, or not in a way that is understood; names the file.
    """
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
