"""RecurrentConv: image features frame by frame, remembered by recurrent units on one or several levels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.backbones import READ_OUT
from vidcls.layers.conv_gru import ConvGru
from vidcls.layers.snippets import SnippetUse, as_frames, average_clips, frames_over_time, num_clips, split_clips
from vidcls.models.cam_layer import CamLayer
from vidcls.models.classifier import VideoClassifier
from vidcls.types import RGB, Stream

Recurrence = Literal["gru_rcn", "gru", "lstm"]
VECTOR_UNITS: dict[Recurrence, type[nn.GRU | nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentConv(VideoClassifier):
    """A 2D backbone on every frame and a recurrent unit over time on each of several of its levels (GRU-RCN).

    Ballas, Yao, Pal, Courville: Delving Deeper into Convolutional Networks for Learning Video Representations, ICLR
    2016. The last hidden maps of each level are averaged over places and classified; the answer is the mean of the
    levels' distributions. The paper's form: ``backbone: vgg16``, ``levels: [block2, block3, block4, block5, read_out]``
    (pool2 to pool5 and fc7), ``widths: [64, 128, 256, 256, 512]``, ``dropout: .7``, on 10 frames evenly spaced over the
    video (``num_snippets: 10``, ``clip_len: 1``, ``snippets: join``).

    ::

        frame t      -> stage -> stage -> stage -> read_out
                          |        |        |         |
        GRU-RCN      ->  h_t  ->  h_t  ->  h_t  ->   h_t        (-> where stacked)    each also sees its own h_{t-1}

    Deviations from the paper: the loss is the cross entropy of the averaged distribution. Where stacked, the hidden
    maps below are max-pooled to fit and joined to the input of the level, one product in place of two that are added.

    Args:
        backbone: one of ours such as ``small``, or an image network of torchvision such as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        levels: stages with a recurrent unit, in order of depth, ``read_out`` for the vector; default: the last two
            stages for ``gru_rcn``, the vector for ``gru`` and ``lstm``, which take no other.
        widths: D of the hidden maps of each level; default: half of the level's channels.
        recurrence: ``gru_rcn`` on maps, or the simple relatives ``gru`` and ``lstm`` on the vector of each frame.
        stacked: each level also sees the hidden map of the level below at the same step.
        bidirectional: a second unit reads the clip backwards; both last states are joined.
        snippets: ``average``: each snippet is a clip of its own; ``join``: all are one clip, in order.
        dropout: share of the features that is dropped before each classifier while training.
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
        levels: list[str] | None = None,
        widths: list[int] | None = None,
        recurrence: Recurrence = "gru_rcn",
        stacked: bool = False,
        bidirectional: bool = False,
        snippets: SnippetUse = "average",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_frames = frames_over_time("RecurrentConv", self.clip, snippets)
        self.num_clips = num_clips(self.clip, snippets)
        self.backbone = build_backbone(backbone, in_channels=3, weights=weights, layers=layers)
        self.levels = self._chosen_levels(levels, recurrence, stacked=stacked)
        channels = self.backbone.channels(self.levels)
        widths = widths or [max(1, c // 2) for c in channels]
        if len(widths) != len(self.levels):
            raise ValueError(f"widths needs one entry for each of the levels {self.levels}, got {widths}")
        self.stacked = stacked
        self.bidirectional = bidirectional
        num_directions = 2 if bidirectional else 1
        below = [0, *(num_directions * width for width in widths[:-1])] if stacked else [0] * len(widths)
        inputs = [own + lower for own, lower in zip(channels, below, strict=True)]
        sizes = list(zip(self.levels, inputs, widths, strict=True))
        self.forwards = nn.ModuleList(_unit(recurrence, *size) for size in sizes)
        self.backwards = nn.ModuleList(_unit(recurrence, *size) for size in sizes if bidirectional)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.Linear(num_directions * width, self.num_classes)) for width in widths
        )
        self.backbone.cut_after(self.levels)
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """All frames of a clip."""
        return self.num_frames

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The maps of every level before they are remembered, frame by frame; of a vector the maps that it sums up."""
        stages = [self.backbone.last_places if level == READ_OUT else level for level in self.levels]
        return tuple(CamLayer(stage, f"backbone.stages.{stage}") for stage in dict.fromkeys(stages))

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` -> log-probabilities ``(B, K)`` of the mean of the levels' distributions."""
        clips = split_clips(rgb, self.num_clips)  # (B*S, 3, T, H, W)
        T = clips.shape[2]
        maps = [_as_map(level).unflatten(0, (-1, T)) for level in self.backbone.levels(as_frames(clips), self.levels)]
        hidden: Tensor | None = None
        logits: list[Tensor] = []
        for k, (level, head) in enumerate(zip(maps, self.heads, strict=True)):
            inputs = level if hidden is None or not self.stacked else torch.cat([level, _fit(hidden, level)], dim=2)
            hidden = self.forwards[k](inputs)  # (B*S, T, D, h, w)
            last = hidden[:, -1]
            if self.bidirectional:
                back = self.backwards[k](inputs.flip(1))  # step 0 is the last frame
                last = torch.cat([last, back[:, -1]], dim=1)
                hidden = torch.cat([hidden, back.flip(1)], dim=2)  # (B*S, T, 2D, h, w)
            logits.append(head(last.mean(dim=(-2, -1))))  # (B*S, K)
        mean = self.task.mean_of_probabilities(torch.stack(logits))  # (B*S, K)
        return average_clips(mean, self.num_clips)  # (B, K)

    def _chosen_levels(self, levels: list[str] | None, recurrence: Recurrence, *, stacked: bool) -> list[str]:
        if recurrence in VECTOR_UNITS:
            if levels not in (None, [READ_OUT]):
                raise ValueError(f"recurrence {recurrence!r} is on the vector alone: leave levels out, got {levels}")
            levels = [READ_OUT]
        levels = list(self.backbone.stage_names[-2:]) if levels is None else levels
        self.backbone.check_stages(levels, read_out=True)
        order = (*self.backbone.stage_names, READ_OUT)
        if not levels or sorted(set(levels), key=order.index) != levels:
            raise ValueError(f"levels must be different stages in order of depth ({', '.join(order)}), got {levels}")
        if stacked and len(levels) < 2:
            raise ValueError(f"stacked has no effect with the one level {levels}: name several, or remove it")
        return levels


class _VectorUnit(nn.Module):
    """A GRU or LSTM of torch over maps of one place."""

    def __init__(self, recurrence: Recurrence, in_channels: int, width: int) -> None:
        super().__init__()
        self.unit = VECTOR_UNITS[recurrence](in_channels, width, batch_first=True)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, T, C, 1, 1)`` -> the outputs of every step ``(B, T, D, 1, 1)``."""
        return self.unit(maps.flatten(2))[0][..., None, None]


def _unit(recurrence: Recurrence, level: str, in_channels: int, width: int) -> nn.Module:
    if recurrence == "gru_rcn":
        return ConvGru(in_channels, width, kernel_px=1 if level == READ_OUT else 3)
    return _VectorUnit(recurrence, in_channels, width)


def _as_map(level: Tensor) -> Tensor:
    """A vector ``(B, D)`` as maps of one place; maps as they are."""
    return level[..., None, None] if level.ndim == 2 else level


def _fit(hidden: Tensor, level: Tensor) -> Tensor:
    """Hidden maps ``(B, T, D, H, W)`` of the level below, max-pooled to the size of this level."""
    pooled = F.adaptive_max_pool2d(hidden.flatten(0, 1), level.shape[-2:])
    return pooled.unflatten(0, level.shape[:2])
