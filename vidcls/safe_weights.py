"""Weights -> a safetensors file, which other programs read without any code of pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


def write_safetensors(weights: Mapping[str, Tensor], file: Path, about: Mapping[str, object]) -> None:
    """Write weights; each has its own memory in the file, also where some are tied.

    Args:
        weights: by name.
        file: where to.
        about: what they are of, in plain types: JSON in the header, by the name ``vidcls``.
    """
    from safetensors.torch import save_file

    kept = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()}
    save_file(kept, file, metadata={"format": "pt", "vidcls": json.dumps(about)})
