"""A ``.pt2`` file and a video -> class names and scores, the same as those of the test, without the model's class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import ConfigurationError
from vidcls.inference.network_input import with_flow
from vidcls.inference.pt2_file import load_pt2
from vidcls.predict.exported_scorer import ExportedScorer, Streams
from vidcls.predict.open_model import Device
from vidcls.transforms import ClipPixels


class ExportedPredictor(ExportedScorer[ClipPixels]):
    """Scores any video with the clips, crops and flow of the test of a model that ``vidcls export`` wrote as ``.pt2``.

    Args:
        path: the file.
        device: it computes on the CPU, for which it was exported.
        num_threads: threads that compute the network; None leaves it to torch.
        batch_views: views (clips x crops of a video) that go through the network at once.

    Raises:
        CheckpointError: the file is missing or damaged, or was not written by ``vidcls export``.
        ConfigurationError: ``device`` is cuda.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        num_threads: int | None = None,
        *,
        device: Device = "auto",
        batch_views: int = 32,
    ) -> None:
        if device == "cuda":
            raise ConfigurationError(f"{path}: was exported for the CPU: pass --device cpu, or the checkpoint itself")
        file = Path(path)
        self._network = load_pt2(file)
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        facts = self._network.facts
        super().__init__(file, facts, ClipReader(facts.input), batch_views=batch_views)

    @property
    def device_text(self) -> str:
        """Where the network runs, in words."""
        return f"cpu, {torch.get_num_threads()} threads (torch.export)"

    def by_view(self, streams: Streams) -> dict[str, NDArray[np.float32]]:
        """See `ExportedScorer.by_view`."""
        with torch.inference_mode():
            views = {name: torch.from_numpy(stream) for name, stream in streams.items()}
            found = self._network(with_flow(views, self.input_settings))
            return {row: scores.numpy() for row, scores in found.items()}

    def _batches(self, clips: Sequence[ClipPixels]) -> Iterator[Streams]:
        views = views_of(clips, self.input_settings)
        for first in range(0, len(views), self.batch_views):
            some = stack_views(views[first : first + self.batch_views])
            yield {name: stream.numpy() for name, stream in some.items()}
