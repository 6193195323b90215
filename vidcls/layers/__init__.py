"""Building blocks of networks, as plain modules."""

from vidcls.layers.backbones import Backbone, build_backbone
from vidcls.layers.backbones_3d import build_backbone_3d, is_3d
from vidcls.layers.settings import LayerSettings
from vidcls.layers.stems import cross_modality_kernels, replace_stem

__all__ = [
    "Backbone",
    "LayerSettings",
    "build_backbone",
    "build_backbone_3d",
    "cross_modality_kernels",
    "is_3d",
    "replace_stem",
]
