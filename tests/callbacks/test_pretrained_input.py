"""Hints where a training sees another input than its pretrained weights were made with."""

from __future__ import annotations

from pathlib import Path

import torch
from every_model import small
from hub_models import CLASSIFIERS, saved

from vidcls.callbacks.first_lines import pretrained_networks
from vidcls.callbacks.pretrained_input import pretrained_input_lines
from vidcls.clips.settings import InputSettings
from vidcls.models import SingleFrame, TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, as_streams


def _lines(name: str, weights: str | None, **transform: object) -> list[str]:
    settings = InputSettings(as_streams(["rgb"]), ClipSettings(), transform=TransformSettings(**transform))  # type: ignore[arg-type]
    return list(pretrained_input_lines({"weights": (name, weights)}, settings))


def test_another_normalisation_than_that_of_the_weights_is_told_with_the_options_that_set_it() -> None:
    (line,) = _lines("r3d_18", "DEFAULT")
    assert line == (
        "hint: the weights DEFAULT of r3d_18 were made with another normalisation: set --data.transform.rgb_mean "
        "'[0.43216, 0.394666, 0.37645]' --data.transform.rgb_std '[0.22803, 0.22145, 0.216989]'"
    )
    (line,) = _lines("efficientnet_lite1", "DEFAULT")
    assert "rgb_mean '[0.498, 0.498, 0.498]'" in line
    half = (0.5, 0.5, 0.5)
    assert not _lines("efficientnet_lite1", "DEFAULT", rgb_mean=half, rgb_std=half)
    assert not _lines("resnet18", "DEFAULT")
    assert not _lines("r3d_18", None)


def test_files_of_weights_say_nothing_of_their_input_and_checkpoints_do(tmp_path: Path) -> None:
    transform = {"crop_px": 32, "rgb_mean": [0.1, 0.2, 0.3], "rgb_std": [0.4, 0.5, 0.6]}
    torch.save({"vidcls": {"input": {"clip_len": 8, "transform": transform}}}, tmp_path / "a.ckpt")
    (line,) = _lines("small", str(tmp_path / "a.ckpt"))
    assert "rgb_mean '[0.1, 0.2, 0.3]'" in line
    torch.save({}, tmp_path / "a.pth")
    assert not _lines("r3d_18", str(tmp_path / "a.pth"))


def test_a_transformer_is_told_for_which_size_it_was_made(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["dinov2"])
    (line,) = _lines(name, "DEFAULT", crop_px=48)
    assert line.endswith(
        "were made for frames of 32x32, and its position embeddings are interpolated: set --data.transform.crop_px 32"
    )
    assert not _lines(name, "DEFAULT", crop_px=32)


def test_networks_of_flow_have_no_normalisation_of_rgb() -> None:
    model = small(TwoStream, ["a", "b"], ClipSettings())
    model.hparams.update(spatial_weights="DEFAULT", temporal_weights="DEFAULT")
    assert pretrained_networks(model) == {"spatial_weights": ("small", "DEFAULT")}
    assert pretrained_networks(small(SingleFrame, ["a", "b"], ClipSettings())) == {}
