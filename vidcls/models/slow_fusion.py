"""SlowFusion: the temporal extent grows through the layers."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers import Backbone, LayerSettings
from vidcls.layers.backbones.karpathy import frames_for_one
from vidcls.layers.multi_resolution import FoveaContext
from vidcls.layers.slow_fusion import slow_fusion_backbone
from vidcls.layers.snippets import SnippetUse, average_clips, num_clips, num_frames, split_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream

PAPER_EXTENTS = (4, 2, 2)
PAPER_STRIDES = (2, 2, 1)


class SlowFusion(VideoClassifier):
    """A network whose first stages each see a little more time than the one before.

    Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3.1. The
    paper's form: ``backbone: karpathy``, ``clip_len: 10``, convolutions in space and time in the first three layers.
    Other backbones get a first convolution over windows of frames, and a convolution in time before each of the next
    stages (see :func:`slow_fusion_backbone`); what is left in time at the end is averaged.

    ::

        frames      0  1  2  3  4  5  6  7  8  9
        stage 1     [--------]  [--------]         extent 4, stride 2: 4 responses
                          [--------]  [--------]
        stage 2     [ 1  2 ]    [ 3  4 ]           extent 2, stride 2: 2 responses
        stage 3     [ 1     2 ]                    extent 2: 1 response sees all 10 frames

    Args:
        backbone: ``karpathy`` (the paper's), another of ours such as ``small``, or an image network of torchvision such
            as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        extents: frames (in later stages: responses) that each of the first stages spans in time.
        strides: steps of the same in time.
        multi_resolution: two networks, one on the whole at half the size (context), one on the centre (fovea).
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
        backbone: str = "resnet18",
        weights: str | None = None,
        extents: list[int] | None = None,
        strides: list[int] | None = None,
        multi_resolution: bool = False,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        extents = list(PAPER_EXTENTS) if extents is None else extents
        strides = list(PAPER_STRIDES) if strides is None else strides

        def build(num_towers: int) -> Backbone:
            return slow_fusion_backbone(
                backbone,
                extents,
                strides,
                weights=weights,
                layers=layers,
                num_towers=num_towers,
                last_pool=not multi_resolution,
            )

        self.backbone = FoveaContext(build) if multi_resolution else build(1)
        self.span = frames_for_one(extents, strides)
        if num_frames(self.clip, snippets) < self.span or self.span < 2:
            raise ValueError(
                f"SlowFusion with extents {extents} and strides {strides} spans {self.span} frames: a clip needs as "
                f"many, and two at least, got {num_frames(self.clip, snippets)}; raise clip_len, join several "
                "snippets, or change the extents"
            )
        self.num_clips = num_clips(self.clip, snippets)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames that one response of the last stage with an extent in time sees."""
        return self.span

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        logits = self.head(self.backbone(clips))  # (B*S, K)
        return average_clips(logits, self.num_clips)  # (B, K)
