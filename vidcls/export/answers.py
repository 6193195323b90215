"""An exported file -> what answers views with it, for checking and timing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.model_file import METADATA_KEY, ModelFacts
from vidcls.runtime.session import OnnxSession

if TYPE_CHECKING:
    from torch import Tensor

    from vidcls.export.parity import Answer


def answer_of(path: Path) -> Answer:
    """What a file answers, by its suffix: onnxruntime on the CPU, or torch."""
    if path.suffix == ".pt2":
        from vidcls.inference.pt2_file import load_pt2

        return load_pt2(path)
    return _onnx_answer(path)


def _onnx_answer(path: Path) -> Answer:
    import torch

    session = OnnxSession(path, device="cpu")
    rows = ModelFacts.from_json(session.metadata(METADATA_KEY), path).rows

    def answer(streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        scores = session.run({name: stream.numpy() for name, stream in streams.items()})
        return {row: torch.from_numpy(found) for row, found in zip(rows, scores, strict=True)}

    return answer


def random_clip_of(session: OnnxSession) -> dict[str, NDArray[np.generic]]:
    """One view of noise for each input."""
    generator = np.random.default_rng(0)
    shapes = {
        name: [1, *(int(size) for size in shape[1:] if size is not None)] for name, shape in session.inputs.items()
    }
    return {name: generator.integers(0, 256, shape).astype(np.uint8) for name, shape in shapes.items()}
