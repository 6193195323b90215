"""EarlyFusion: the first layer sees all frames of a short window at once."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers import LayerSettings
from vidcls.layers.multi_resolution import frame_network
from vidcls.layers.snippets import SnippetUse, average_clips, num_clips, num_frames, split_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class EarlyFusion(VideoClassifier):
    """An image network whose first kernels span the frames of a window.

    Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3.1. The
    paper's form: ``backbone: karpathy``, ``clip_len: 10``: first kernels of 11x11x3x10. A convolution over T frames
    that leaves one response in time is a 2D convolution over 3T channels, which is how it is computed. Given weights
    are repeated over the frames and divided by T, so that a still clip gives what its frame gave.

    Args:
        backbone: ``karpathy`` (the paper's), another of ours such as ``small``, or an image network of torchvision such
            as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        window_len: frames that the first layer sees; default: all of a clip. The logits of a longer clip's windows are
            averaged.
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
        window_len: int | None = None,
        multi_resolution: bool = False,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        T = num_frames(self.clip, snippets)
        self.window_len = T if window_len is None else window_len
        if self.window_len < 2 or T % self.window_len:
            raise ValueError(
                f"EarlyFusion needs windows of at least two frames that make up the clip, got window_len="
                f"{self.window_len} for {T} frames: raise clip_len to a multiple of it, or join several snippets"
            )
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = frame_network(
            backbone, weights=weights, layers=layers, stem_len=self.window_len, multi_resolution=multi_resolution
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames of a window."""
        return self.window_len

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        T = rgb.shape[2]
        if T % (self.num_clips * self.window_len):
            raise ConfigurationError(
                f"{T} frames cannot be cut into {self.num_clips} snippets of windows of {self.window_len} frames"
            )
        clips = split_clips(rgb, T // self.window_len)  # (B*N, 3, window_len, H, W), N windows of all snippets
        stacked = clips.transpose(1, 2).flatten(1, 2)  # (B*N, window_len*3, H, W)
        logits = self.head(self.backbone(stacked))  # (B*N, K)
        return average_clips(logits, T // self.window_len)  # (B, K)
