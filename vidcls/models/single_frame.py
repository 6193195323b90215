"""SingleFrame: what one frame tells, averaged over the frames of a clip."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers import LayerSettings
from vidcls.layers.multi_resolution import frame_network
from vidcls.layers.snippets import as_frames, average_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class SingleFrame(VideoClassifier):
    """An image network on every frame; the logits of the frames of a clip are averaged, so that order cannot matter.

    The baseline of Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, on
    any 2D backbone; the paper's form has ``backbone: karpathy``. With ``clip_len: 1`` it sees one frame.

    Args:
        backbone: ``karpathy`` (the paper's), another of ours such as ``small``, or an image network of torchvision such
            as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        multi_resolution: two networks, one on the whole at half the size (context), one on the centre (fovea).
        dropout: share of the features that is dropped before the classifier while training.
        layers: normalisation, activation and initial weights of a backbone of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        backbone: str = "resnet18",
        weights: str | None = None,
        multi_resolution: bool = False,
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.backbone = frame_network(backbone, weights=weights, layers=layers, multi_resolution=multi_resolution)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """One frame."""
        return 1

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, T, H, W)`` -> logits ``(B, K)``."""
        T = rgb.shape[2]
        logits = self.head(self.backbone(as_frames(rgb)))  # (B*T, K)
        return average_clips(logits, T)  # (B, K)
