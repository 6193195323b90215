"""A server in this process for the tests of each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Serve, Served, saved_checkpoint, servers

from vidcls.datasets import VideoFolder
from vidcls.predict import Predictor


@pytest.fixture(scope="session")
def checkpoint(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_checkpoint(clip_dataset, tmp_path_factory.mktemp("served") / "model.ckpt")


@pytest.fixture(scope="session")
def predictor(checkpoint: Path) -> Predictor:
    return Predictor(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def serve(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers that end with the tests of the file."""
    with servers(predictor, tmp_path_factory.mktemp("uploads")) as start:
        yield start


@pytest.fixture(scope="module")
def served(serve: Serve) -> Served:
    """A server with the usual limits."""
    return serve()
