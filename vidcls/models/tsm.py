"""TSM: an image network whose channels move between neighbouring frames."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.published_names import tsm_formats
from vidcls.layers.published_weights import load_published, published_state
from vidcls.layers.snippets import SnippetUse, as_frames, average_clips, frames_over_time
from vidcls.layers.temporal_shift import ShiftedConv2d, insert_shifts
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream


class TSM(VideoClassifier):
    """An image network on every frame, with a share of the channels shifted by one frame inside its residual blocks.

    Lin, Gan, Han: TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019. It sees motion at the cost
    of an image network: the shift has no weights and no products. An eighth of the channels comes from the next frame,
    an eighth from the one before; beyond the ends of a clip there are zeros. The logits of the frames are averaged. The
    paper's form: ``backbone: resnet50``, 8 frames evenly spaced over the video (``num_snippets: 8``, ``clip_len: 1``,
    ``snippets: join``).

    ::

        input of a block   t - 1    t    t + 1
        its branch           +----> t <----+       1/8 of the past, 1/8 of the future, the rest its own; then convolved
        its shortcut                t              nothing is shifted

    Deviations: ``small`` has no shortcuts, so that the input of each block but the first is shifted as a whole (the
    paper's in-place shift). ``efficientnet_lite0`` is not in the paper: it is shifted in the inverted residuals that
    have a shortcut, as the paper's MobileNet-V2.

    Args:
        backbone: ``small`` for a CPU, ``efficientnet_lite0``, a ResNet of ours (``resnet20``, ``resnet56``), or of
            torchvision or timm, such as ``resnet50``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random;
            or a file of a whole TSM on a ResNet, of mmaction2 or the paper's authors.
        shift_share: of the channels that are shifted in each direction; 0 for none.
        causal: shift from the past alone (the paper's online form), so that no frame waits for the next.
        snippets: ``average``: nothing is shifted between snippets; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before the classifier while training.
        layers: normalisation, activation and initial weights of a backbone of ours.
        **common: what every model takes; see :class:`VideoClassifier`.

    Raises:
        ValueError: the clip is a single frame, ``shift_share`` is outside its range, or the backbone has no residual
            blocks whose first convolution could be shifted.
        CheckpointError: the file of weights cannot be read, or is of another network.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        backbone: str = "resnet50",
        weights: str | None = None,
        shift_share: float = 0.125,
        causal: bool = False,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("TSM", self.clip, snippets)
        if not 0 <= shift_share <= (1 if causal else 0.5):
            raise ValueError(
                f"shift_share must be from 0 to {1 if causal else 0.5}, the share of the channels that moves in each "
                f"direction, got {shift_share}"
            )
        whole = published_state(weights, tsm_formats(()))
        self.backbone = build_backbone(backbone, weights=weights if whole is None else None, layers=layers)
        self.num_shifts = insert_shifts(self.backbone, backbone, self.num_frames, share=shift_share, causal=causal)
        self.causal = causal
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        if whole is not None and weights is not None:
            shifted = (name for name, module in self.named_modules() if isinstance(module, ShiftedConv2d))
            self.published = load_published(self, whole, weights, tsm_formats(shifted))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """A frame further in each direction with every shift, no more than there are in a clip."""
        return min(1 + (1 if self.causal else 2) * self.num_shifts, self.num_frames)

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        num_all = rgb.shape[2]
        if num_all % self.num_frames:
            raise ConfigurationError(
                f"{num_all} frames cannot be cut into clips of the {self.num_frames} frames that TSM shifts over"
            )
        logits = self.head(self.backbone(as_frames(rgb)))  # (B*S*T, K)
        return average_clips(logits, num_all)  # (B, K)
