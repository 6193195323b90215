"""What input a backbone was made for, by its name."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from vidcls.errors import CheckpointError
from vidcls.layers.backbones.made_for import IMAGENET_MEAN, IMAGENET_STD, BackboneInput, input_of
from vidcls.transforms.settings import TransformSettings

KINETICS = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)  # torchvision's _video_opt.py
IMAGENET = (IMAGENET_MEAN, IMAGENET_STD)
LITE = ((0.498,) * 3, (0.502,) * 3)


@pytest.mark.parametrize(
    ("name", "side_px", "normalisation", "num_frames"),
    [
        ("efficientnet_lite0", 224, LITE, None),
        ("efficientnet_lite1", 240, LITE, None),
        ("efficientnet_lite2", 260, LITE, None),
        ("resnet18", 224, IMAGENET, None),
        ("inception_v3", 299, IMAGENET, None),
        ("i3d_resnet18", 224, IMAGENET, 16),
        ("r3d_18", 112, KINETICS, 16),
        ("mvit_v2_s", 224, ((0.45,) * 3, (0.225,) * 3), 16),
        ("cnn_m_2048", 224, IMAGENET, None),
        ("c3d", 112, IMAGENET, 16),
    ],
)
def test_a_name_tells_size_normalisation_and_frames(
    name: str, side_px: int, normalisation: tuple[tuple[float, ...], ...], num_frames: int | None
) -> None:
    found = input_of(name)
    assert found.size_px == (side_px, side_px)
    assert (found.rgb_mean, found.rgb_std) == normalisation
    assert found.num_frames == num_frames


def test_a_backbone_without_ready_made_weights_has_the_defaults_of_the_transforms() -> None:
    found, settings = input_of("small"), TransformSettings()
    assert (found.rgb_mean, found.rgb_std) == (settings.rgb_mean, settings.rgb_std)


def test_named_weights_may_have_another_size() -> None:
    assert input_of("vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1").size_px == (384, 384)
    with pytest.raises(ValueError, match="vit_b_16 has IMAGENET1K_V1, "):
        input_of("vit_b_16", weights="KINETICS")


@pytest.mark.skipif(find_spec("timm") is None, reason="the extra timm is not installed")
def test_a_network_of_timm_has_that_of_its_own_weights() -> None:
    found = input_of("timm/vit_base_patch16_clip_224.openai")
    assert found == BackboneInput((224, 224), (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    with pytest.raises(ValueError, match="timm has no network"):
        input_of("timm/resnet10x")


def test_a_checkpoint_has_that_of_its_training(tmp_path: Path) -> None:
    transform = {"crop_px": [96, 128], "rgb_mean": [0.1, 0.2, 0.3], "rgb_std": [0.4, 0.5, 0.6]}
    torch.save({"vidcls": {"input": {"clip_len": 8, "transform": transform}}}, tmp_path / "a.ckpt")
    assert input_of("resnet18", weights=str(tmp_path / "a.ckpt")) == BackboneInput(
        (96, 128), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 8
    )
    torch.save({"vidcls": {"input": None}}, tmp_path / "b.ckpt")
    with pytest.raises(CheckpointError, match="does not say how its input is made"):
        input_of("resnet18", weights=str(tmp_path / "b.ckpt"))


def _folder(path: Path, config: dict[str, object], processor: dict[str, object] | None) -> str:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if processor is not None:
        (path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return f"hf/{path}"


def test_a_model_of_the_hub_has_that_of_its_own_processor(tmp_path: Path) -> None:
    dino = {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 196}}
    name = _folder(tmp_path / "dino", {"model_type": "dinov2", "image_size": 518}, dino)
    assert input_of(name) == BackboneInput((224, 196), *IMAGENET)
    half = {"size": {"shortest_edge": 160}, "do_center_crop": False, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    name = _folder(tmp_path / "mae", {"model_type": "videomae", "num_frames": 8}, half)
    assert input_of(name) == BackboneInput((160, 160), (0.5,) * 3, (0.25,) * 3, 8)
    plain = {"do_normalize": False, "size": {"height": 288, "width": 288}}
    name = _folder(tmp_path / "prism", {"model_type": "videoprism_vision_model"}, plain)
    assert input_of(name) == BackboneInput((288, 288), (0.0,) * 3, (1.0,) * 3, 16)
    # ViViT scales to -1 to 1 before it subtracts .5 and divides by .5.
    vivit = {"rescale_factor": 1 / 127.5, "offset": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    found = input_of(_folder(tmp_path / "vivit", {"model_type": "vivit", "image_size": 224}, vivit))
    assert found.rgb_mean == pytest.approx((0.75,) * 3)
    assert found.rgb_std == pytest.approx((0.25,) * 3)
    assert found.num_frames == 32


def test_a_model_of_the_hub_without_a_processor_has_the_default_of_its_family(tmp_path: Path) -> None:
    config = {"model_type": "siglip", "vision_config": {"image_size": 384}, "text_config": {}}
    assert input_of(_folder(tmp_path / "s", config, None)) == BackboneInput((384, 384), (0.5,) * 3, (0.5,) * 3)
    found = input_of(_folder(tmp_path / "v", {"model_type": "vjepa2", "crop_size": 64, "frames_per_clip": 4}, None))
    assert (found.size_px, found.num_frames) == ((64, 64), 4)
