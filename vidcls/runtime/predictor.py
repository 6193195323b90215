"""An exported model and a video -> class names and scores, the same as those of the test, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import CheckpointError, ExportError
from vidcls.model_file import METADATA_KEY, OF_THIS_FILE, ModelFacts
from vidcls.predict.exported_scorer import ExportedScorer, Streams
from vidcls.predict.open_model import Device
from vidcls.runtime.clips import ArrayClips
from vidcls.runtime.flow import check_flow, flow_between
from vidcls.runtime.pixels import Clip, Pixels, stacked, views_of
from vidcls.runtime.session import OnnxSession
from vidcls.types import CHANNELS, sees


class Predictor(ExportedScorer[Clip]):
    """Scores any video with the clips, crops and flow of the test of a model that ``vidcls export`` wrote.

    Neither torch nor the checkpoint is needed. The scores are those of the test to 1e-4, with the same best class::

        from vidcls.runtime import Predictor

        predictor = Predictor("model.onnx")
        prediction = predictor("new.mp4")
        prediction.label, prediction.top(3)

    Args:
        path: a ``.onnx`` file of ``vidcls export``.
        device: where the network runs; ``auto`` takes a CUDA GPU where onnxruntime has one.
        num_threads: threads that compute the network on a CPU; None takes all that this process may use.
        batch_views: views (clips x crops of a video) that go through the network at once.

    Raises:
        CheckpointError: the file is missing or damaged, was not written by ``vidcls export``, or by a newer version.
        ConfigurationError: ``device`` is cuda and there is none.
        FlowError: its flow cannot be computed without torch.
        MissingExtraError: onnxruntime, or what its flow method needs, is not installed.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        num_threads: int | None = None,
        *,
        device: Device = "auto",
        batch_views: int = 32,
    ) -> None:
        file = Path(path)
        self._session = OnnxSession(file, device=device, num_threads=num_threads)
        facts = ModelFacts.from_json(self._session.metadata(METADATA_KEY), file)
        settings = facts.input
        if sees(settings.streams, "audio"):
            raise ExportError(f"{file}: hears, and exported files have no sound: use the checkpoint of its run")
        super().__init__(file, facts, ArrayClips(settings), batch_views=batch_views)
        _check_graph(file, self._session, facts)
        if settings.flow_settings is not None and "flow" in {stream.kind for stream in settings.streams}:
            check_flow(settings.flow_settings, file)

    @property
    def device_text(self) -> str:
        """Where the network runs, in words."""
        session = self._session
        plural = "" if session.num_threads == 1 else "s"
        where = "cuda" if session.is_on_cuda else f"cpu, {session.num_threads} thread{plural}"
        return f"{where} (onnxruntime {session.version})"

    def by_view(self, streams: Streams) -> dict[str, NDArray[np.float32]]:
        """See `ExportedScorer.by_view`.

        Raises:
            CheckpointError: the graph answers with something else.
        """
        expected = (len(next(iter(streams.values()))), len(self.class_names))
        found = dict(zip(self.facts.rows, self._session.run(self._with_flow(dict(streams))), strict=True))
        for row, scores in found.items():
            if scores.shape != expected:
                raise CheckpointError(
                    f"{self.path}: answers with scores {scores.shape}, expected {expected} ({row}): {OF_THIS_FILE}"
                )
        return found

    def _batches(self, clips: Sequence[Clip]) -> Iterator[Streams]:
        views = views_of(clips, self.input_settings)
        for first in range(0, len(views), self.batch_views):
            yield stacked(views[first : first + self.batch_views])

    def _with_flow(self, streams: dict[str, Pixels]) -> dict[str, Pixels]:
        """Streams ``(V, C, T, H, W)`` with flow in place of the pairs of frames between which it is estimated."""
        settings = self.input_settings
        for name, kind in settings.loaded_kinds.items():
            if kind == "frame_pairs":
                assert settings.flow_settings is not None
                pairs = streams[name].swapaxes(1, 2)  # (V, 2F, 3, H, W)
                fields = [flow_between(of_view, settings.flow_settings) for of_view in pairs]
                streams[name] = np.stack(fields).swapaxes(1, 2)  # (V, 2, F, H, W)
        return streams


def _check_graph(path: Path, session: OnnxSession, facts: ModelFacts) -> None:
    """Refuse a graph whose inputs and outputs are others than those that its metadata names."""
    settings = facts.input
    expected = {
        stream.name: (CHANNELS[stream.kind], stream.length(settings.clip), *settings.transform.crop_size)
        for stream in settings.streams
    }
    found = {name: shape[1:] for name, shape in session.inputs.items()}
    if len(session.outputs) != len(facts.rows):  # their names may be others: an output is never called like an input
        raise CheckpointError(
            f"{path}: has the outputs {', '.join(session.outputs)}, but says that they are the scores of "
            f"{', '.join(facts.rows)}: {OF_THIS_FILE}"
        )
    num_classes = len(facts.class_names)
    for name, shape in session.outputs.items():
        if shape is not None and (len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != num_classes)):
            raise CheckpointError(
                f"{path}: its output {name} is {_text(shape)}, but by what it says it must be (views, {num_classes}): "
                f"{OF_THIS_FILE}"
            )
    unlike = [
        name
        for name in {**found, **expected}
        if len(found.get(name, ())) != len(expected.get(name, ()))
        or any(
            isinstance(size, int) and size != wanted for size, wanted in zip(found[name], expected[name], strict=True)
        )
    ]
    if unlike:
        name = unlike[0]
        raise CheckpointError(
            f"{path}: its input {name} is {found.get(name, 'missing')}, but by what it says it must be "
            f"{expected.get(name, 'none')}: {OF_THIS_FILE}"
        )


def _text(shape: tuple[int | str | None, ...]) -> str:
    """``(views, 4)``."""
    return f"({', '.join(str(size) for size in shape)})"
