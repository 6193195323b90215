"""MoViNet: small 3D networks for phones, whose causal forms process a stream frame by frame."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.layers.backbones.movinet import MoViNetNet
from vidcls.layers.backbones.movinet_forms import Form
from vidcls.layers.published_movinet import movinet_formats
from vidcls.layers.published_weights import load_weights
from vidcls.layers.snippets import SnippetUse, average_clips, frames_over_time, num_clips, split_clips
from vidcls.layers.streaming import FrameStream
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class MoViNet(VideoClassifier):
    """A 3D network found by architecture search for low cost at low frame rates; causal forms need no later frames.

    Kondratyuk et al.: MoViNets: Mobile Video Networks for Efficient Video Recognition, CVPR 2021. The paper's forms,
    each with the clips of Kinetics-600 that it was found for::

        form   clip_len  frames per second  crop_px   parameters  multiply-adds of that clip
        a0        50             5            172        3.1 M        2.6 G
        a1        50             5            172        4.7 M        5.9 G
        a2        50             5            224        5.2 M       11.6 G
        a3       120            12            256        7.4 M       55.6 G
        a4        80             8            290       11.3 M      103 G
        a5       120            12            320       18.7 M      276 G

    ``tiny`` is ours, for a CPU. A causal network gives the same scores for a clip as for its frames one by one, each of
    which is computed once; see :meth:`stream`.

    Deviations: normalisation averages its statistics with PyTorch's momentum of 0.1 (0.01 in the authors' code), for
    trainings of few steps. The causal forms of ``a3`` to ``a5`` are not here.

    Args:
        form: ``a0`` to ``a5``, or ``tiny``.
        causal: whether frames are seen as they come: the published "stream" networks; ``tiny`` and ``a0`` to ``a2``.
        zero_init_residual: the branch of each block has a factor, which starts at 0: a block is its shortcut at first
            (ReZero, Bachlechner et al. 2020), as in the authors' code; else at 1.
        weights: initial weights: a file of MoViNet-pytorch, a checkpoint of such a model, or none for random.
        snippets: ``average``: each snippet is a clip of its own; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before the classifier while training.
        **common: what every model takes; see :class:`VideoClassifier`.

    Raises:
        ValueError: the clip is a single frame, there is no such form, or none that is causal.
        CheckpointError: the file of weights cannot be read, or is of another network.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        form: Form = "a0",
        causal: bool = False,
        zero_init_residual: bool = True,
        weights: str | None = None,
        snippets: SnippetUse = "average",
        dropout: float = 0.2,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("MoViNet", self.clip, snippets)
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = MoViNetNet(form, causal=causal, zero_init_residual=zero_init_residual)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.published = load_weights(self, self.backbone, weights, movinet_formats())
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

    def stream(self) -> FrameStream:
        """What takes a stream piece by piece, ``(B, 3, T, H, W)`` of any T: the logits ``(B, K)`` of all frames so far.

        They are those of all these frames as one clip.

        Raises:
            ValueError: the network is not causal, or takes several snippets apart.
        """
        if self.num_clips > 1:
            raise ValueError(f"a stream is one clip, and this MoViNet averages {self.num_clips} snippets")
        return FrameStream(self)
