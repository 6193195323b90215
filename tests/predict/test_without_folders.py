"""Paths of a machine become names, in keys and in values alike, and nothing else changes."""

from __future__ import annotations

from vidcls.predict.without_folders import without_folders


def test_paths_become_names_and_different_ones_stay_different() -> None:
    given = {
        "backbone": "hf//home/me/dinov2",
        "spatial": "hf//home/you/dinov2",
        "temporal": "hf/facebook/dinov2-small",
        "weights": "../runs/first/best.ckpt",
        "flow_weights": "runs/first",
        "spatial_weights": "s3://bucket/me/w.pt?token=x",
        "temporal_weights": "C:\\Users\\me\\w.pt",
        "name": "timm/resnet50.a1_in1k",
        "class_names": ["/home/me", "a/b"],
        "backbones": {"hf//home/me/dinov2": {"sizes": [1, 2]}},
        "depth": 18,
    }
    assert without_folders(given) == {
        "backbone": "hf/dinov2",
        "spatial": "hf/dinov2-2",
        "temporal": "hf/facebook/dinov2-small",
        "weights": "best.ckpt",
        "flow_weights": "first",
        "spatial_weights": "w.pt",
        "temporal_weights": "w.pt-2",
        "name": "timm/resnet50.a1_in1k",
        "class_names": ["/home/me", "a/b"],
        "backbones": {"hf/dinov2": {"sizes": [1, 2]}},
        "depth": 18,
    }
