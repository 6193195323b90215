"""TwoStream: appearance from frames, motion from stacked optical flow, fused at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.flow.fields import stack_channels
from vidcls.layers import Backbone, LayerSettings, build_backbone, build_backbone_3d, is_3d
from vidcls.layers.backbones_3d import frames_seen
from vidcls.layers.consensus import Consensus, SegmentConsensus
from vidcls.layers.snippets import as_frames, average_clips, split_clips
from vidcls.models.cam_layer import CamLayer, ends_in_average
from vidcls.models.classifier import VideoClassifier
from vidcls.models.part_weights import load_part
from vidcls.training.fusion import Fusion, fixed_fusions
from vidcls.training.svm_fusion import SvmFusion
from vidcls.types import FLOW, RGB, Stream


class TwoStream(VideoClassifier):
    """A spatial network on frames and a temporal network on ``2 * flow_len`` channels of flow; their scores are fused.

    Simonyan and Zisserman: Two-Stream Convolutional Networks for Action Recognition in Videos, NIPS 2014. The paper's
    form has ``spatial: cnn_m_2048``, ``temporal: cnn_m_2048_temporal``, ``clip_len: 1``, ``flow_len: 10``. Each stream
    has a loss of its own, so that training both at once equals training them one after the other. With several
    snippets the logits of each stream become one by ``consensus`` (Wang et al.: Temporal Segment Networks, ECCV 2016).
    A stream whose backbone is a 3D network sees the frames, or the fields, of a snippet as a clip (two-stream I3D:
    Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017).

    Deviations from the paper: the flow window is centred on the frame instead of starting there, and every fusion is
    taken for each view before the views are averaged. The paper trains the streams with ``fusion: mean``. With the data
    setting ``score: logits`` the fusions ``mean`` and ``weighted`` are means of logits, as TSN and I3D have them.

    Args:
        spatial: backbone of the spatial stream: one of ours such as ``small``, or an image network of torchvision;
            or a 3D network such as ``small_3d`` or ``i3d_resnet50``.
        temporal: backbone of the temporal stream; also ``cnn_m_2048_temporal``.
        spatial_weights: initial weights of the spatial backbone: a name such as torchvision's ``DEFAULT``, a file, or
            none for random.
        temporal_weights: the same for the temporal backbone, whose first layer is made from the RGB kernels
            (cross-modality initialisation).
        spatial_checkpoint: a checkpoint of vidcls whose spatial stream (or single-frame network) is taken over.
        temporal_checkpoint: a checkpoint of vidcls whose temporal stream is taken over.
        train: the streams that are trained; the other keeps its weights. Where that one is still untrained, the fused
            score means nothing: choose the best checkpoint by ``--monitor val/spatial_top1`` or ``val/temporal_top1``.
        dropout: share of the features that is dropped before each classifier while training.
        temporal_dropout: the same for the temporal stream, where it differs (.8 and .7 in TSN).
        consensus: how the logits of the snippets become one: ``mean``, ``max``, or ``weighted``, by a trained weight
            for each snippet.
        fusion: how the two answers become one. ``product`` is the mean of log-probabilities, ``mean`` that of
            probabilities, ``weighted`` a mean by ``fusion_weights``, ``svm`` a linear support vector machine fitted to
            the training videos at the end of ``fit`` (until then: the mean).
        fusion_weights: weights of the spatial and temporal stream in ``weighted`` (1 : 1.5 in TSN).
        layers: normalisation, activation and initial weights of backbones of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB, FLOW)
    parts: ClassVar[tuple[str, ...]] = ("spatial", "temporal")
    initial_weights: ClassVar[tuple[str, ...]] = (
        "spatial_weights",
        "temporal_weights",
        "spatial_checkpoint",
        "temporal_checkpoint",
    )
    fusion_weights: Tensor
    even_weights: Tensor

    def __init__(
        self,
        *,
        spatial: str = "resnet18",
        temporal: str = "resnet18",
        spatial_weights: str | None = None,
        temporal_weights: str | None = None,
        spatial_checkpoint: str | None = None,
        temporal_checkpoint: str | None = None,
        train: Literal["both", "spatial", "temporal"] = "both",
        dropout: float = 0.5,
        temporal_dropout: float | None = None,
        consensus: Consensus = "mean",
        fusion: Fusion = "product",
        fusion_weights: tuple[float, float] = (1.0, 1.5),
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if min(fusion_weights) < 0 or sum(fusion_weights) <= 0:
            raise ValueError(f"fusion_weights must not be negative and not both zero, got {fusion_weights}")
        if fusion == "svm" and not self.task.has_one_class:
            raise ValueError(
                f"fusion svm needs one class for each video, which {self.task.name} has not: choose another"
            )
        self.trained_parts: tuple[str, ...] = self.parts if train == "both" else (train,)
        self.fusion: Fusion = fusion
        S = self.clip.num_snippets
        if consensus != "mean" and S < 2:
            raise ValueError(f"consensus {consensus!r} has no effect on one snippet: set num_snippets, or remove it")
        self.is_3d = {"spatial": is_3d(spatial), "temporal": is_3d(temporal)}
        for part, setting, length in (
            ("spatial", "clip_len", self.clip.clip_len),
            ("temporal", "flow_len", self.clip.flow_len),
        ):
            if self.is_3d[part] and length < 2:
                raise ValueError(
                    f"a 3D {part} stream needs at least two frames in a snippet, got {length}: raise {setting}"
                )
        spatial_net = _stream(spatial, 3, 1, weights=spatial_weights, layers=layers)
        temporal_net = _stream(temporal, 2, self.clip.flow_len, weights=temporal_weights, layers=layers)
        self.nets = nn.ModuleDict({"spatial": spatial_net, "temporal": temporal_net})
        dropouts = {"spatial": dropout, "temporal": dropout if temporal_dropout is None else temporal_dropout}
        self.heads = nn.ModuleDict(
            {
                part: nn.Sequential(nn.Dropout(dropouts[part]), nn.Linear(net.num_features, self.num_classes))
                for part, net in (("spatial", spatial_net), ("temporal", temporal_net))
            }
        )
        self.consensus = nn.ModuleDict({part: SegmentConsensus(consensus, S) for part in self.parts})
        self.register_buffer("fusion_weights", torch.tensor(fusion_weights), persistent=False)
        self.register_buffer("even_weights", torch.ones(2), persistent=False)
        self.svm = SvmFusion(num_parts=2, task=self.task)
        for part, checkpoint in (("spatial", spatial_checkpoint), ("temporal", temporal_checkpoint)):
            if checkpoint is not None:
                load_part(checkpoint, part, self.nets[part], self.heads[part], self.task)
            if part not in self.trained_parts:
                for module in (self.nets[part], self.heads[part], self.consensus[part]):
                    module.requires_grad_(False)
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """The frames of the file between which the flow fields of a snippet lie, or those that a 3D stream sees.

        A 3D spatial stream counts frames as they are read, which are ``stride`` apart; fields are always neighbours.
        """
        spatial, temporal = (cast(Backbone, self.nets[part]) for part in self.parts)
        seen = frames_seen(spatial, self.clip.clip_len) if self.is_3d["spatial"] else 1
        num_fields = self.clip.flow_len
        return max(seen, 1 + (frames_seen(temporal, num_fields) if self.is_3d["temporal"] else num_fields))

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """The last maps of each stream, for that stream's own score."""
        layers: list[CamLayer] = []
        for part, stream in zip(self.parts, self.streams, strict=True):
            net = cast(Backbone, self.nets[part])
            classifier = f"heads.{part}.1" if ends_in_average(net) else None
            module = f"nets.{part}.stages.{net.last_places}"
            layers.append(CamLayer(part, module, stream.name, part=part, classifier=classifier))
        return tuple(layers)

    def forward(self, rgb: Tensor, flow: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` and flow ``(B, 2, S*F, H, W)`` -> fused logits ``(B, K)``."""
        return self.fuse(self.forward_parts(rgb, flow))

    def forward_parts(self, rgb: Tensor, flow: Tensor) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of the spatial and of the temporal stream, over frames and snippets."""
        S, F = self.clip.num_snippets, self.clip.flow_len
        if flow.shape[2] != S * F:
            raise ConfigurationError(f"this network sees {S} x {F} flow fields of a clip, got {flow.shape[2]} fields")
        clips = split_clips(rgb, S)  # (B*S, 3, T, H, W)
        if self.is_3d["spatial"]:
            spatial = self.heads["spatial"](self.nets["spatial"](clips))  # (B*S, K)
        else:
            by_frame = self.heads["spatial"](self.nets["spatial"](as_frames(clips)))  # (B*S*T, K)
            spatial = average_clips(by_frame, clips.shape[2])  # (B*S, K)
        fields = split_clips(flow, S) if self.is_3d["temporal"] else stack_snippets(flow, S)  # (B*S, 2F, H, W) in 2D
        temporal = self.heads["temporal"](self.nets["temporal"](fields))  # (B*S, K)
        return {"spatial": self.consensus["spatial"](spatial), "temporal": self.consensus["temporal"](temporal)}

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Logits ``(B, K)`` of the fusion that the configuration names."""
        logits = torch.stack([parts[part] for part in self.parts])  # (2, B, K)
        fusions = fixed_fusions(self.task, self.score_rule)
        if self.fusion == "svm":
            return self.svm(logits) if self.svm.answers else fusions["mean"](logits, self.even_weights)
        weights = self.fusion_weights if self.fusion == "weighted" else self.even_weights
        return fusions[self.fusion](logits, weights)

    def all_fusions(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every fusion; the support vector machine once it is fitted."""
        logits = torch.stack([parts[part] for part in self.parts])  # (2, B, K)
        rows = {
            name: function(logits, self.fusion_weights if name == "weighted" else self.even_weights)
            for name, function in fixed_fusions(self.task, self.score_rule).items()
        }
        return {**rows, "svm": self.svm(logits)} if self.svm.answers else rows

    def train(self, mode: bool = True) -> TwoStream:
        """Set the mode; a stream that is not trained stays in evaluation mode."""
        super().train(mode)
        for part in set(self.parts) - set(self.trained_parts):
            self.nets[part].eval()
            self.heads[part].eval()
        return self


def _stream(
    name: str, in_channels: int, num_stacked: int, *, weights: str | None, layers: LayerSettings | None
) -> Backbone:
    """The backbone of a stream: in 2D the channels of ``num_stacked`` frames or fields are stacked."""
    if is_3d(name):
        return build_backbone_3d(name, in_channels, weights=weights, layers=layers)
    return build_backbone(name, in_channels * num_stacked, weights=weights, layers=layers)


def stack_snippets(flow: Tensor, num_snippets: int) -> Tensor:
    """Flow ``(B, 2, S*F, H, W)`` -> ``(B*S, 2F, H, W)`` with channels x1 y1 x2 y2 ... of the fields of each snippet."""
    by_snippet = flow.unflatten(2, (num_snippets, -1)).transpose(1, 2)  # (B, S, 2, F, H, W)
    return stack_channels(by_snippet.flatten(0, 1))  # (B*S, 2F, H, W)
