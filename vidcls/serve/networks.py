"""A model file -> its network, asked for views, and how videos are read for it; one for each kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidcls.predict.exported_scorer import ExportedScorer
from vidcls.predict.scoring import VideoScorer
from vidcls.serve.reading import ReadAs, Streams
from vidcls.serve.scoring import Scores, ViewScorer

if TYPE_CHECKING:
    from vidcls.predict import Predictor


class CheckpointViews:
    """The network of a checkpoint.

    Args:
        predictor: which holds it.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._scorer = predictor.scorer

    def by_view(self, streams: Streams) -> Scores:
        """See `ViewScorer.by_view`."""
        import torch

        with torch.inference_mode():
            views = {name: torch.from_numpy(stream)[None] for name, stream in streams.items()}  # (1, V, C, T, H, W)
            return {row: scores[0].cpu().numpy() for row, scores in self._scorer.by_view(views).items()}

    def averaged(self, by_view: Scores) -> Scores:
        """See `ViewScorer.averaged`."""
        import torch

        whole = {row: torch.from_numpy(scores)[None] for row, scores in by_view.items()}
        return {row: scores[0].numpy() for row, scores in self._scorer.averaged(whole).items()}


def read_as(model: VideoScorer) -> ReadAs:
    """How videos are read for a model: as arrays where it needs no torch."""
    return "arrays" if model.path.suffix.lower() == ".onnx" else "tensors"


def views_scorer(model: VideoScorer) -> ViewScorer:
    """The network of a model, asked for views."""
    return model if isinstance(model, ExportedScorer) else CheckpointViews(model)  # type: ignore[arg-type]
