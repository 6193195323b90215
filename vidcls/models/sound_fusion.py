"""Networks of several streams, the last of which hears -> one answer, also for videos without sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from vidcls.layers import Backbone
from vidcls.layers.snippets import as_frames, average_clips
from vidcls.models.cam_layer import CamLayer, ends_in_average
from vidcls.models.classifier import VideoClassifier
from vidcls.models.two_stream import stack_snippets
from vidcls.training.fusion import fixed_fusions

SoundFusion = Literal["mean", "product", "weighted"]


class FusesSound(VideoClassifier):
    """Late fusion of streams of which the last hears: each has a network, a classifier and a loss of its own.

    A subclass names ``streams`` and ``parts`` in the same order, sound last, and hands its networks to
    :meth:`take_networks`.

    A video without sound (NaN) gets logits of 0 from the stream that hears: it says nothing, learns nothing from the
    video, and is left out of every fusion, so that the answer is exactly that of the other streams.
    """

    parts: ClassVar[tuple[str, ...]]
    fusion_weights: Tensor
    even_weights: Tensor

    def take_networks(
        self,
        networks: Mapping[str, Backbone],
        *,
        dropout: float,
        fusion: SoundFusion,
        fusion_weights: tuple[float, ...],
    ) -> None:
        """Build the classifiers of the networks, which are named like the parts, and the fusion; the last of a set-up.

        Raises:
            ValueError: the weights of a fusion are negative, or those of a video without sound are all zero.
        """
        if min(fusion_weights) < 0 or sum(fusion_weights[:-1]) <= 0:
            raise ValueError(
                "fusion_weights must not be negative, and those of the streams that see not all zero, since they alone "
                f"answer a video without sound; got {fusion_weights}"
            )
        self.trained_parts: tuple[str, ...] = self.parts
        self.fusion: SoundFusion = fusion
        self.nets = nn.ModuleDict(networks)
        self.heads = nn.ModuleDict(
            {
                part: nn.Sequential(nn.Dropout(dropout), nn.Linear(net.num_features, self.num_classes))
                for part, net in networks.items()
            }
        )
        self.register_buffer("fusion_weights", torch.tensor(fusion_weights), persistent=False)
        self.register_buffer("even_weights", torch.ones(len(self.parts)), persistent=False)
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames between which the flow fields of a snippet lie; frames and sounds are averaged one by one."""
        return self.clip.flow_len + 1 if any(stream.kind == "flow" for stream in self.streams) else 1

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The last maps of each stream, for that stream's own score."""
        layers: list[CamLayer] = []
        for part, stream in zip(self.parts, self.streams, strict=True):
            net = cast(Backbone, self.nets[part])
            classifier = f"heads.{part}.1" if ends_in_average(net) else None
            layers.append(CamLayer(part, f"nets.{part}.stages.{net.last_places}", stream.name, part, classifier))
        return tuple(layers)

    def forward_parts(self, *streams: Tensor) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every stream, over frames and snippets; 0 of a video without sound."""
        found: dict[str, Tensor] = {}
        for part, stream, clips in zip(self.parts, self.streams, streams, strict=True):
            if stream.kind == "flow":
                stacked = stack_snippets(clips, self.clip.num_snippets)  # (B*S, 2F, H, W)
                found[part] = average_clips(self._logits(part, stacked), self.clip.num_snippets)
            elif stream.kind == "audio":
                is_heard = ~clips.isnan().flatten(1).any(dim=1, keepdim=True)  # (B, 1)
                logits = self._by_frame(part, clips.nan_to_num(nan=0.0))  # silence
                found[part] = torch.where(is_heard, logits, torch.zeros_like(logits))
            else:
                found[part] = self._by_frame(part, clips)
        return found

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Logits ``(B, K)`` of the fusion that the configuration names."""
        return self.all_fusions(parts)[self.fusion]

    def all_fusions(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every fusion, of a video without sound by the other streams alone."""
        logits = torch.stack([parts[part] for part in self.parts])  # (P, B, K), sound last
        is_heard = (logits[-1] != 0).any(dim=-1, keepdim=True)  # (B, 1)
        found: dict[str, Tensor] = {}
        for name, fused in fixed_fusions(self.task, self.score_rule).items():
            weights = self.fusion_weights if name == "weighted" else self.even_weights
            found[name] = torch.where(is_heard, fused(logits, weights), fused(logits[:-1], weights[:-1]))
        return found

    def _by_frame(self, part: str, clips: Tensor) -> Tensor:
        """The mean of the logits of all frames, or spectrograms, ``(B, C, S*T, H, W)`` -> ``(B, K)``."""
        return average_clips(self._logits(part, as_frames(clips)), clips.shape[2])

    def _logits(self, part: str, pictures: Tensor) -> Tensor:
        logits: Tensor = self.heads[part](self.nets[part](pictures))
        return logits
