"""Which decoders work on this machine: a package may be installed and still lack the system's libraries."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

from vidcls.errors import MissingExtraError
from vidcls.video import Backend, open_video, write_video


@cache
def missing(backend: Backend) -> str | None:
    """Why a decoder cannot be used on this machine; None where it can."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.jpeg.avi"  # a file that every decoder reads
        write_video(path, torch.full((2, 3, 32, 32), 128, dtype=torch.uint8), codec="mjpeg")
        try:
            with open_video(path, backend) as video:
                video.frames([0])
        except MissingExtraError as error:
            return str(error)
    return None


def skip_if_missing(backend: Backend) -> None:
    """Skip the test, with the reason, where a decoder cannot be used."""
    if reason := missing(backend):
        pytest.skip(reason)
