"""X3D: a 3D network that is as small as accuracy allows."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers.backbones.x3d import Form, X3DNet
from vidcls.layers.published_names import x3d_formats
from vidcls.layers.published_weights import load_weights
from vidcls.layers.snippets import SnippetUse, average_clips, frames_over_time, num_clips, split_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class X3D(VideoClassifier):
    """A 3D network whose convolutions over space and time see each channel alone: accuracy for few multiply-adds.

    Feichtenhofer: X3D: Expanding Architectures for Efficient Video Recognition, CVPR 2020. The paper's forms, each with
    the clips that it was found for::

        form   clip_len  stride  crop_px     parameters  multiply-adds of that clip
        xs        4        12      160         3.8 M       0.6 G
        s        13         6      160         3.8 M       2.0 G
        m        16         5      224         3.8 M       4.7 G
        l        16         5      312         6.2 M      18.4 G

    ``tiny`` has the width and depth of the network that the paper expands, for a CPU.

    Args:
        form: ``xs``, ``s``, ``m`` or ``l``, or ``tiny``; ``xs``, ``s`` and ``m`` have the same layers.
        zero_init_residual: the last normalisation of each block starts at zero, as in the authors' code: a block is its
            shortcut at first (Goyal et al. 2017).
        weights: initial weights: a file of PyTorchVideo, a checkpoint of such a model, or none for random.
        snippets: ``average``: each snippet is a clip of its own; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before the classifier while training.
        **common: what every model takes; see :class:`VideoClassifier`.

    Raises:
        ValueError: the clip is a single frame, or there is no such form.
        CheckpointError: the file of weights cannot be read, or is of another network.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        form: Form = "m",
        zero_init_residual: bool = False,
        weights: str | None = None,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("X3D", self.clip, snippets)
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = X3DNet(form, zero_init_residual=zero_init_residual)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.published = load_weights(self, self.backbone, weights, x3d_formats())
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """All frames of a clip: squeeze-and-excitation averages over them."""
        return self.num_frames

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        logits = self.head(self.backbone(clips))  # (B*S, K)
        return average_clips(logits, self.num_clips)  # (B, K)
