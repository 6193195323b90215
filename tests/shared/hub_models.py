"""Tiny random models of transformers in folders, as ``save_pretrained`` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
FRAMES = {"image_size": 32, "patch_size": 8}
LABELS = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
JEPA = {"crop_size": 32, "patch_size": 8, "frames_per_clip": 4, "tubelet_size": 2, "mlp_ratio": 2}
PREDICTOR = {"pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1, "num_pooler_layers": 1}
DINO3 = {**SMALL, **FRAMES, "num_register_tokens": 4, "layerscale_value": 0.5}
PRISM = {
    **{key: value for key, value in SMALL.items() if key != "num_hidden_layers"},
    "image_size": 32,
    "tubelet_size": [1, 8, 8],
    "num_frames": 4,
    "num_spatial_layers": 2,
    "num_temporal_layers": 2,
}
# By family: the class, that of its settings, and these.
CLASSIFIERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vit": ("ViTForImageClassification", "ViTConfig", {**SMALL, **FRAMES}),
    "dinov2": ("Dinov2ForImageClassification", "Dinov2Config", {**SMALL, **FRAMES, "mlp_ratio": 2}),
    "dinov2_with_registers": (
        "Dinov2WithRegistersForImageClassification",
        "Dinov2WithRegistersConfig",
        {**SMALL, **FRAMES, "mlp_ratio": 2, "num_register_tokens": 3},
    ),
    "clip": ("CLIPForImageClassification", "CLIPConfig", {"vision_config": {**SMALL, **FRAMES}}),
    "siglip": ("SiglipForImageClassification", "SiglipConfig", {"vision_config": {**SMALL, **FRAMES}}),
    "videomae": ("VideoMAEForVideoClassification", "VideoMAEConfig", {**SMALL, **FRAMES, "num_frames": 4}),
    "vjepa2": ("VJEPA2ForVideoClassification", "VJEPA2Config", {**SMALL, **JEPA, **PREDICTOR}),
    "timesformer": ("TimesformerForVideoClassification", "TimesformerConfig", {**SMALL, **FRAMES, "num_frames": 4}),
    "vivit": (
        "VivitForVideoClassification",
        "VivitConfig",
        {**SMALL, "image_size": 32, "num_frames": 4, "tubelet_size": [2, 8, 8]},
    ),
    "videoprism": ("VideoPrismForVideoClassification", "VideoPrismVisionConfig", PRISM),
}
ENCODERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "dinov3": ("DINOv3ViTModel", "DINOv3ViTConfig", DINO3),
    "clip": ("CLIPVisionModel", "CLIPVisionConfig", {**SMALL, **FRAMES}),
    "siglip": ("SiglipVisionModel", "SiglipVisionConfig", {**SMALL, **FRAMES}),
}
VIDEO = ("videomae", "vjepa2", "timesformer", "vivit", "videoprism")


def saved(folder: Path, table: tuple[str, str, dict[str, Any]]) -> tuple[str, Any]:
    """The name of a model in ``folder``, for ``--model.backbone``, and the model; its weights are far from zero."""
    transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
    transformers.utils.logging.disable_progress_bar()
    class_name, config_name, settings = table
    torch.manual_seed(0)
    labels = LABELS if "Classification" in class_name else {}
    network = getattr(transformers, class_name)(getattr(transformers, config_name)(**settings, **labels)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    network.save_pretrained(folder)
    return f"hf/{folder}", network


def logits_of(network: Any, family: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """What transformers' own classifier says of frames ``(B, C, H, W)`` or clips ``(B, C, T, H, W)``."""

    def logits(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = network(x.transpose(1, 2) if family in VIDEO else x).logits
        return found

    return logits
