"""A model in a user's own folder: one small file with a ``forward``, named on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vidcls.models import load_classifier

Command = Callable[..., object]
MY_NET = '''
from typing import ClassVar

from torch import Tensor, nn

from vidcls.models import VideoClassifier


class MyNet(VideoClassifier):
    """The mean colour of a clip.

    Args:
        width: of the hidden layer.
        shared: what all models take.
    """

    streams: ClassVar = ("rgb",)

    def __init__(self, *, width: int = 4, **shared) -> None:
        super().__init__(**shared)
        self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, self.num_classes))

    def forward(self, rgb: Tensor) -> Tensor:
        return self.net(rgb.mean(dim=(2, 3, 4)))
'''


@pytest.fixture
def package(tmp_path: Path) -> str:
    folder = tmp_path / "mypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text(MY_NET)
    return "mypackage.MyNet"


def test_it_is_trained_tested_loaded_and_predicts(
    vidcls: Command, package: str, clip_folder: Path, tmp_path: Path
) -> None:
    words = ["--model", package, "--model.width", "5", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    data = ["--data.dataset", "VideoFolder", "--data.dataset.root", clip_folder, "--data.num_workers", "0"]
    sizes = ["--data.transform.resize_px", "32", "--data.transform.crop_px", "32", "--data.clip_len", "4"]
    assert vidcls("fit", *words, *data, *sizes).status == 0
    (run,) = (tmp_path / "runs" / "MyNet").iterdir()
    allowed = ("--allow-class", "mypackage")  # the run's configuration names the class, and that was not typed
    assert "add --allow-class mypackage" in vidcls("test", "--run", run).refusal()
    assert vidcls("test", "--run", run, *allowed).status == 0
    assert list(json.loads((run / "test.json").read_text())["table"]) == ["model"]
    model = load_classifier(run / "checkpoints" / "best.ckpt")
    assert type(model).__name__ == "MyNet"
    assert model.net[0].out_features == 5
    assert model(torch.zeros(2, 3, 4, 32, 32)).shape == (2, 3)
    videos = sorted((clip_folder / "test" / "left").iterdir())
    answer = vidcls("predict", run, *videos, "--output", "scores.json", "--device", "cpu", *allowed)
    assert answer.status == 0
    tested = {row.split(",")[0]: row.split(",")[3] for row in (run / "test.csv").read_text().splitlines()}
    predictions = json.loads((tmp_path / "scores.json").read_text())["predictions"]
    assert [p["prediction"] for p in predictions] == [tested[f"test/left/{k}.avi"] for k in range(3)]


def test_a_shipped_configuration_is_known_by_name_everywhere(vidcls: Command, package: str) -> None:
    """And lends its data to a model of one's own; the arguments of its own model are dropped."""
    line = vidcls("fit", "--config", "two_stream", "--model", package, "--model.widht", "5").refusal()
    assert "model.widht: unknown option; did you mean width?" in line
