"""A model of a user's own, with the arguments that it needs and no more, and no backbone of ours."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from factories import video_data
from lightning.pytorch import Trainer
from torch import Tensor, nn

from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.explain import Explainer
from vidcls.models import VideoClassifier, load_classifier
from vidcls.predict import Predictor
from vidcls.training.optimization import OptimizationSettings
from vidcls.types import ClipSettings


class Explicit(VideoClassifier):
    streams: ClassVar = ("rgb",)

    def __init__(
        self,
        *,
        class_names: list[str],
        clip: ClipSettings,
        width: int = 4,
        optimization: OptimizationSettings | None = None,
    ) -> None:
        super().__init__(class_names=class_names, clip=clip, optimization=optimization)
        self.maps = nn.Conv3d(3, width, 3)
        self.head = nn.Linear(width, self.num_classes)
        self.apply_transfer()

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        return self.head(self.maps(rgb).mean(dim=(2, 3, 4)))


@pytest.fixture(scope="module")
def checkpoint(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = video_data(clip_dataset, clip_len=4)
    model = Explicit(class_names=data.class_names, clip=data.clip, width=5)
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    file = tmp_path_factory.mktemp("own") / "own.ckpt"
    trainer.save_checkpoint(file)
    return file


def test_its_checkpoint_says_what_it_takes_and_is_built_from_that(checkpoint: Path, clip_folder: Path) -> None:
    model = load_classifier(checkpoint)
    assert isinstance(model, Explicit)
    assert set(model.hparams) == {"width", "optimization"}
    assert model.maps.out_channels == 5
    assert len(Predictor(checkpoint, device="cpu")(clip_folder / "test/left/0.avi").scores) == 3


def test_heat_without_layers_to_show_is_an_error_that_says_what_can_be_had(checkpoint: Path, clip_folder: Path) -> None:
    explain, video = Explainer(checkpoint, device="cpu"), clip_folder / "test/left/0.avi"
    with pytest.raises(ConfigurationError, match=r"has no backbone of vidcls .* --layer NAME, or use --method"):
        explain(video)
    assert explain(video, layer="maps").titles
    assert explain(video, method="saliency").titles
