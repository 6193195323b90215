"""Conv3D: kernels over space and time from the first layer to the last."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers import LayerSettings
from vidcls.layers.backbones_3d import build_backbone_3d, frames_seen
from vidcls.layers.snippets import SnippetUse, average_clips, frames_over_time, num_clips, split_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class Conv3D(VideoClassifier):
    """A 3D network on clips.

    The paper's form: ``backbone: c3d`` on 16 frames of 112x112 (Tran et al.: Learning Spatiotemporal Features with 3D
    Convolutional Networks, ICCV 2015). Others: residual and factorised networks (Tran et al.: A Closer Look at
    Spatiotemporal Convolutions for Action Recognition, CVPR 2018), inflated image networks (Carreira and Zisserman: Quo
    Vadis, Action Recognition?, CVPR 2017) and torchvision's video transformers.

    Args:
        backbone: ``small_3d`` for a CPU, ``c3d``, ``i3d_`` and the name of a ResNet such as ``i3d_resnet50``, or a
            network of torchvision: ``r3d_18``, ``mc3_18``, ``r2plus1d_18``, ``s3d``, ``mvit_v2_s``, ``swin3d_t`` ...
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random;
            for an inflated network those of its 2D network.
        snippets: ``average``: each snippet is a clip of its own; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before the classifier while training.
        layers: normalisation, activation and initial weights of a backbone of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        backbone: str = "r3d_18",
        weights: str | None = None,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("Conv3D", self.clip, snippets)
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = build_backbone_3d(backbone, weights=weights, layers=layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames that one unit of the last maps sees, no more than there are in a clip."""
        return frames_seen(self.backbone, self.num_frames)

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        logits = self.head(self.backbone(clips))  # (B*S, K)
        return average_clips(logits, self.num_clips)  # (B, K)
