"""TwoStreamFusion: appearance and motion joined where their maps lie on the same places."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers import LayerSettings, build_backbone
from vidcls.layers.snippets import as_frames, average_clips, split_clips
from vidcls.layers.stream_fusion import FusionMethod, StreamFusion
from vidcls.models.cam_layer import CamLayer, ends_in_average
from vidcls.models.classifier import HEAD, VideoClassifier
from vidcls.models.two_stream import stack_snippets
from vidcls.types import FLOW, RGB, Stream

AT_THE_END_ONLY = ("concat", "bilinear")


class TwoStreamFusion(VideoClassifier):
    """Two streams whose maps become one after a chosen stage; the spatial network's further stages see both.

    Feichtenhofer, Pinz, Zisserman: Convolutional Two-Stream Network Fusion for Video Action Recognition, CVPR 2016. The
    paper fuses VGG networks after the last convolution and ReLU, best by ``conv``. It is a model of its own, not a
    :class:`TwoStream`, since its streams have no answers of their own.

    ::

        frame        -> stage -> stage --+-> stage -> read-out -> classifier
                                         |
        flow fields  -> stage -> stage --+   the same stage of a network of its own

    Deviations: the paper's final network also keeps the temporal stream's own classifier and fuses over time by 3D
    convolution and 3D pooling; here the logits of frames and snippets are averaged.

    Args:
        spatial: backbone on frames: one of ours such as ``small``, or an image network of torchvision.
        temporal: backbone on ``2 * flow_len`` channels of flow; its maps must have the size of the spatial ones.
        spatial_weights: initial weights of the spatial backbone: a name such as torchvision's ``DEFAULT``, a file, or
            none for random.
        temporal_weights: the same for the temporal backbone, whose first layer is made from the RGB kernels.
        fuse_at: the stage, of both networks, after which they are fused; default: the last one.
        method: ``sum``, ``max``, ``conv``; after the last stage also ``concat`` and ``bilinear``, which change the
            number of channels.
        dropout: share of the features that is dropped before the classifier while training.
        layers: normalisation, activation and initial weights of backbones of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB, FLOW)
    initial_weights: ClassVar[tuple[str, ...]] = ("spatial_weights", "temporal_weights")

    def __init__(
        self,
        *,
        spatial: str = "resnet18",
        temporal: str = "resnet18",
        spatial_weights: str | None = None,
        temporal_weights: str | None = None,
        fuse_at: str | None = None,
        method: FusionMethod = "conv",
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        num_towers = 2 if method == "concat" else 1
        self.spatial = build_backbone(spatial, 3, weights=spatial_weights, layers=layers, num_towers=num_towers)
        self.temporal = build_backbone(temporal, 2 * self.clip.flow_len, weights=temporal_weights, layers=layers)
        self.fuse_at = self.spatial.stage_names[-1] if fuse_at is None else fuse_at
        self.spatial.check_stages([self.fuse_at])
        self.temporal.check_stages([self.fuse_at])
        if method in AT_THE_END_ONLY and self.fuse_at != self.spatial.stage_names[-1]:
            raise ValueError(
                f"method {method!r} changes the number of channels and fits after the last stage only, got fuse_at="
                f"{self.fuse_at!r}: use sum, max or conv there, or leave fuse_at out"
            )
        shape, other = (net.shapes(names=[self.fuse_at])[self.fuse_at] for net in (self.spatial, self.temporal))
        if shape != other:
            raise ValueError(
                f"after {self.fuse_at!r} the maps of {spatial} are {shape} and those of {temporal} {other}: fuse where "
                "they are alike, or use the same backbone twice"
            )
        self.fusion = StreamFusion(method, shape[0])
        num_features = self.spatial.num_features
        if method == "bilinear":
            self.spatial.read_out, num_features = nn.Identity(), shape[0] ** 2
        self.temporal.cut_after([self.fuse_at])
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames of the file between which the flow fields of a snippet lie."""
        return self.clip.flow_len + 1

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The spatial network's last maps, which see both streams, and the maps of motion before they are fused."""
        names = self.spatial.stage_names
        last = self.spatial.last_places
        is_deeper = names.index(last) > names.index(self.fuse_at)
        has_maps = self.fusion.method != "bilinear"
        return (
            CamLayer(
                "fused" if has_maps else "appearance",
                "fusion" if has_maps and not is_deeper else f"spatial.stages.{last}",
                classifier=HEAD if has_maps and ends_in_average(self.spatial) else None,
            ),
            CamLayer("motion", f"temporal.stages.{self.fuse_at}", "flow"),
        )

    def forward(self, rgb: Tensor, flow: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` and flow ``(B, 2, S*F, H, W)`` -> logits ``(B, K)``."""
        S, F = self.clip.num_snippets, self.clip.flow_len
        if flow.shape[2] != S * F:
            raise ConfigurationError(f"this network sees {S} x {F} flow fields of a clip, got {flow.shape[2]} fields")
        clips = split_clips(rgb, S)  # (B*S, 3, T, H, W)
        T = clips.shape[2]
        motion = self.temporal.maps(stack_snippets(flow, S))  # (B*S, D, h, w)
        motion = motion.repeat_interleave(T, dim=0)  # (B*S*T, D, h, w): every frame of a snippet meets its motion
        maps = self.spatial.maps(as_frames(clips), until=self.fuse_at)  # (B*S*T, D, h, w)
        maps = self.spatial.maps(self.fusion(maps, motion), after=self.fuse_at)
        logits = self.head(self.spatial.read_out(maps))  # (B*S*T, K)
        return average_clips(logits, S * T)  # (B, K)
