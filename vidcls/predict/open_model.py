"""A model file of any kind -> what scores videos with it, importing no more than that kind needs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.errors import EnsembleFileError
from vidcls.packed_file import is_exported_ensemble

if TYPE_CHECKING:
    from vidcls.predict.ensemble_predictor import EnsemblePredictor
    from vidcls.predict.scoring import VideoScorer

Device = Literal["auto", "cpu", "cuda"]


def open_model(
    path: str | PathLike[str], *, device: Device = "auto", num_threads: int | None = None, unknown: bool = False
) -> VideoScorer:
    """What scores videos with a trained model.

    Args:
        path: an exported file (``.onnx``, or ``.zip`` of an ensemble, which take no torch; ``.pt2``), or what names a
            checkpoint: ``best``, ``runs/NAME``, the folder of a run, a file; see :mod:`vidcls.runs.trained_model`.
        device: where the network runs; ``auto`` takes a CUDA GPU where there is one.
        num_threads: threads that compute the network on a CPU, for exported files; None leaves it to the library.
        unknown: whether an answer may be ``unknown``, by the threshold that was chosen on validation.

    Raises:
        CheckpointError: the model is missing, damaged or of another kind.
        ConfigurationError: it cannot run there, or has no threshold for unknown videos.
        FlowError, MissingExtraError: see :class:`vidcls.predict.Predictor`.
    """
    found = _opened(path, device, num_threads)
    if unknown:
        found.say_unknown()
    return found


def _opened(path: str | PathLike[str], device: Device, num_threads: int | None) -> VideoScorer:
    suffix = Path(path).suffix.lower()
    if is_exported_ensemble(Path(path)):
        from vidcls.runtime.ensemble import open_exported_ensemble

        return open_exported_ensemble(path, device=device, num_threads=num_threads)
    if suffix == ".onnx":
        from vidcls.runs.trained_model import checkpoint_of
        from vidcls.runtime import Predictor as OnnxPredictor

        return OnnxPredictor(checkpoint_of(path), device=device, num_threads=num_threads)
    if suffix == ".pt2":
        from vidcls.predict.exported_predictor import ExportedPredictor

        return ExportedPredictor(path, device=device, num_threads=num_threads)
    from vidcls.predict.predictor import Predictor

    try:
        return Predictor(path, device=device)
    except EnsembleFileError:
        return open_ensemble(path, device=device)


def open_ensemble(path: str | PathLike[str], *, device: Device = "auto") -> EnsemblePredictor:
    """What scores videos with all members of an ensemble.

    Args:
        path: what names its checkpoint.
        device: where the networks run.

    Raises:
        CheckpointError, ConfigurationError, FlowError, MissingExtraError: as of :func:`open_model`.
    """
    from vidcls.models.ensemble_file import read_ensemble
    from vidcls.predict.ensemble_predictor import EnsemblePredictor
    from vidcls.predict.predictor import Predictor
    from vidcls.runs.trained_model import checkpoint_of

    checkpoint = checkpoint_of(path)
    ensemble, members = read_ensemble(checkpoint)
    return EnsemblePredictor(checkpoint, ensemble, [Predictor(path, device=device, facts=facts) for facts in members])
