"""LateFusion: one network on frames far apart, joined where the maps end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from vidcls.layers import LayerSettings
from vidcls.layers.multi_resolution import frame_network
from vidcls.layers.snippets import SnippetUse, as_frames, average_clips, num_clips, num_frames, split_clips
from vidcls.models.cam_layer import CamLayer
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream

Merge = Literal["concat", "mean", "max"]
GRID = 4  # places along each side that a joined layer tells apart


class LateFusion(VideoClassifier):
    """Towers of shared weights on frames far apart; their last maps are joined before the first fully connected layer.

    Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3.1. The
    paper's form: ``backbone: karpathy`` on two frames 15 apart (``clip_len: 2``, ``stride: 15``). A backbone that ends
    in global pooling is joined before the classifier, which then sees the features of all towers.

    ::

        frame 0        frame 15
           |              |
        tower          tower       the same weights
           +------+-------+
                 FC                sees which map came first, so that motion over the gap can be told

    Args:
        backbone: ``karpathy`` (the paper's), another of ours such as ``small``, or an image network of torchvision such
            as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        num_towers: N frames of the clip, evenly spread from the first to the last; default: all of them.
        joined_fc: units of a fully connected layer on the joined maps, averaged to 4x4 places before; default: the
            backbone's own read-out. One that ends in global pooling forgets where things are, and with it how far they
            moved from frame to frame.
        merge: how the towers' maps become one: ``concat`` keeps their order (the paper's), ``mean`` and ``max`` do not.
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
        num_towers: int | None = None,
        joined_fc: int | None = None,
        merge: Merge = "concat",
        multi_resolution: bool = False,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        T = num_frames(self.clip, snippets)
        N = T if num_towers is None else num_towers
        if not 2 <= N <= T:
            raise ValueError(
                f"LateFusion needs at least two towers and no more than frames, got {N} of {T}: raise clip_len, join "
                "several snippets, or lower num_towers"
            )
        self.num_clips = num_clips(self.clip, snippets)
        self.num_towers = N
        self.merge: Merge = merge
        self.num_frames = T
        self.backbone = frame_network(
            backbone,
            weights=weights,
            layers=layers,
            num_towers=N if merge == "concat" else 1,
            multi_resolution=multi_resolution,
        )
        num_features = self.backbone.num_features
        if joined_fc is not None:
            num_features = joined_fc
            num_maps = self.backbone.num_map_channels * (N if merge == "concat" else 1)
            self.backbone.read_out = nn.Sequential(
                nn.AdaptiveAvgPool2d(GRID),
                nn.Flatten(),
                nn.Linear(num_maps * GRID**2, joined_fc),
                nn.ReLU(),
            )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """From the first tower's frame to the last one's: the whole clip."""
        return self.num_frames

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The last maps, one for each tower's frame."""
        frames = tuple(spread(self.num_frames, self.num_towers))
        averaged = self.merge != "max"  # the mean of maximal maps is no sum over the maps of the towers
        return tuple(
            replace(layer, frames=frames, classifier=layer.classifier if averaged else None)
            for layer in super().cam_layers
        )

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        places = spread(clips.shape[2], self.num_towers)
        # A list as the index would be copied to the GPU in each step, which waits for it.
        frames = torch.stack([clips[:, :, place] for place in places], dim=2)  # (B*S, 3, N, H, W)
        maps = self.backbone.maps(as_frames(frames)).unflatten(0, (-1, self.num_towers))  # (B*S, N, D, h, w)
        logits = self.head(self.backbone.read_out(MERGES[self.merge](maps)))  # (B*S, K)
        return average_clips(logits, self.num_clips)  # (B, K)


def spread(num_frames: int, num_towers: int) -> list[int]:
    """``num_towers`` of the frames 0 to ``num_frames - 1``, evenly spread, the first and the last among them."""
    return [k * (num_frames - 1) // (num_towers - 1) for k in range(num_towers)]


MERGES = {
    "concat": lambda maps: maps.flatten(1, 2),  # (B, N*D, h, w)
    "mean": lambda maps: maps.mean(dim=1),  # (B, D, h, w)
    "max": lambda maps: torch.amax(maps, dim=1),  # (B, D, h, w)
}
