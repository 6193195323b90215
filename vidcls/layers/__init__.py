"""Building blocks of networks, as plain modules."""

from vidcls.layers.backbones import Backbone, build_backbone
from vidcls.layers.settings import LayerSettings
from vidcls.layers.stems import cross_modality_kernels, replace_stem

__all__ = ["Backbone", "LayerSettings", "build_backbone", "cross_modality_kernels", "replace_stem"]
