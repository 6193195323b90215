"""SlowFast: a slow pathway that sees what there is, a fast one that sees how it moves."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers.backbones.slowfast import Depth, SlowFastNet
from vidcls.layers.published_names import slowfast_formats
from vidcls.layers.published_weights import load_weights
from vidcls.layers.snippets import SnippetUse, average_clips, frames_over_time, num_clips, split_clips
from vidcls.models.cam_layer import CamLayer
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class SlowFast(VideoClassifier):
    """Two networks on one clip: few frames with many channels, and all frames with few, joined as they go.

    Feichtenhofer, Fan, Malik, He: SlowFast Networks for Video Recognition, ICCV 2019. The clip is decoded once; the
    slow pathway takes every alpha-th of its frames. The paper's forms on ResNet-50: 8x8 is ``clip_len: 32``,
    ``stride: 2``, ``alpha: 4``; 4x16 is the same with ``alpha: 8``.

    ::

        frames   0  1  2  3  4  5  6  7
        slow     0           4               every alpha-th, width channels
                 ^           ^               lateral: 5 frames around each -> 2 beta width channels
        fast     0  1  2  3  4  5  6  7      all, beta width channels

    Deviations: the paper does not say whether normalisation and ReLU follow the lateral convolutions; the authors' code
    has both. In that code the lateral convolutions of 8x8 span 7 frames; here they span the paper's 5. Published
    weights were trained with slow frames that are spread evenly from the first to the last (PyTorchVideo), or with
    every alpha-th, as here (mmaction2).

    Args:
        depth: of both ResNets: 50 and 101 are the paper's, 14 (one bottleneck a stage) is for a CPU.
        width: channels of the slow stem; 64 in the paper, 16 for a CPU.
        alpha: the slow pathway sees every alpha-th frame: 4 or 8 in the paper.
        beta: share of the channels that the fast pathway has: 1/8 in the paper.
        lateral_len: frames that a lateral connection spans: 5 in the paper.
        lateral_norm: whether batch normalisation and ReLU follow the lateral convolutions.
        zero_init_residual: the last normalisation of each block starts at zero, as in the authors' code: a block is its
            shortcut at first (Goyal et al. 2017).
        weights: initial weights: a file of PyTorchVideo or mmaction2, a checkpoint of such a model, or none for random.
        snippets: ``average``: each snippet is a clip of its own; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before the classifier while training.
        **common: what every model takes; see :class:`VideoClassifier`.

    Raises:
        ValueError: the clip is a single frame, or an argument is outside its range.
        CheckpointError: the file of weights cannot be read, or is of another network.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        depth: Depth = 50,
        width: int = 64,
        alpha: int = 4,
        beta: float = 0.125,
        lateral_len: int = 5,
        lateral_norm: bool = True,
        zero_init_residual: bool = False,
        weights: str | None = None,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("SlowFast", self.clip, snippets)
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = SlowFastNet(
            depth,
            width=width,
            alpha=alpha,
            beta=beta,
            lateral_len=lateral_len,
            lateral_norm=lateral_norm,
            zero_init_residual=zero_init_residual,
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.published = load_weights(self, self.backbone, weights, slowfast_formats(self.backbone.num_slow_features))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames that one unit of the last maps sees, no more than there are in a clip."""
        return min(self.backbone.frames_seen, self.num_frames)

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The last maps of both pathways; those of the slow one belong to every alpha-th frame."""
        stage = f"backbone.stages.{self.backbone.last_places}"
        taken = tuple(range(0, self.num_frames, self.backbone.alpha))
        return CamLayer("slow", f"{stage}.slow", frames=taken), CamLayer("fast", f"{stage}.fast")

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        logits = self.head(self.backbone(clips))  # (B*S, K)
        return average_clips(logits, self.num_clips)  # (B, K)
