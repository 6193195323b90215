"""TwoStream: appearance from frames, motion from stacked optical flow, fused at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from vidcls.flow.fields import stack_channels
from vidcls.layers import LayerSettings, build_backbone
from vidcls.models.checkpoint import load_part
from vidcls.models.classifier import VideoClassifier
from vidcls.training.fusion import FIXED_FUSIONS, Fusion
from vidcls.training.losses import LossSettings
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.svm_fusion import SvmFusion
from vidcls.training.transfer import TransferSettings
from vidcls.types import ClipSettings, Stream


class TwoStream(VideoClassifier):
    """A spatial network on frames and a temporal network on ``2 * flow_len`` channels of flow; their scores are fused.

    Simonyan and Zisserman: Two-Stream Convolutional Networks for Action Recognition in Videos, NIPS 2014. The paper's
    form has ``spatial: cnn_m_2048``, ``temporal: cnn_m_2048_temporal``, ``clip_len: 1``, ``flow_len: 10``. Each stream
    has a loss of its own, so that training both at once equals training them one after the other. With several
    snippets the logits of each stream are averaged over them (Wang et al.: Temporal Segment Networks, ECCV 2016).

    Deviations from the paper: the flow window is centred on the frame instead of starting there, and every fusion is
    taken for each view before the views are averaged. The paper trains the streams with ``fusion: mean``.

    Args:
        class_names: K names in the order of the logits; the data tells them.
        clip: which frames and fields make a clip; the data tells it.
        spatial: backbone of the spatial stream: one of ours such as ``small``, or an image network of torchvision.
        temporal: backbone of the temporal stream; also ``cnn_m_2048_temporal``.
        spatial_weights: first weights of the spatial backbone: a name of torchvision's such as ``DEFAULT``, a file, or
            none for random.
        temporal_weights: the same for the temporal backbone, whose first layer is made from the RGB kernels
            (cross-modality initialisation).
        spatial_checkpoint: a checkpoint of vidcls whose spatial stream (or single-frame network) is taken over.
        temporal_checkpoint: a checkpoint of vidcls whose temporal stream is taken over.
        train: the streams that are trained; the other keeps its weights. Where that one is still untrained, the fused
            score means nothing: choose the best checkpoint by ``--monitor val/spatial_top1`` or ``val/temporal_top1``.
        dropout: share of the features that is dropped before each classifier while training.
        fusion: how the two answers become one. ``product`` is the mean of log-probabilities, ``mean`` that of
            probabilities, ``weighted`` a mean by ``fusion_weights``, ``svm`` a linear support vector machine fitted to
            the training videos at the end of ``fit`` (until then: the mean).
        fusion_weights: weights of the spatial and temporal stream in ``weighted`` (1 : 1.5 in TSN).
        optimization: optimiser and learning rate.
        loss: label smoothing and class weights.
        layers: normalisation, activation and first weights of backbones of ours.
        transfer: which stages keep the weights that they start from, and how fast the others move.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("rgb", "flow")
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
        class_names: list[str],
        clip: ClipSettings,
        spatial: str = "resnet18",
        temporal: str = "resnet18",
        spatial_weights: str | None = None,
        temporal_weights: str | None = None,
        spatial_checkpoint: str | None = None,
        temporal_checkpoint: str | None = None,
        train: Literal["both", "spatial", "temporal"] = "both",
        dropout: float = 0.5,
        fusion: Fusion = "product",
        fusion_weights: tuple[float, float] = (1.0, 1.5),
        optimization: OptimizationSettings | None = None,
        loss: LossSettings | None = None,
        layers: LayerSettings | None = None,
        transfer: TransferSettings | None = None,
    ) -> None:
        super().__init__(class_names=class_names, clip=clip, optimization=optimization, loss=loss, transfer=transfer)
        if min(fusion_weights) < 0 or sum(fusion_weights) <= 0:
            raise ValueError(f"fusion_weights must not be negative and not both zero, got {fusion_weights}")
        self.trained_parts: tuple[str, ...] = self.parts if train == "both" else (train,)
        self.fusion: Fusion = fusion
        spatial_net = build_backbone(spatial, in_channels=3, weights=spatial_weights, layers=layers)
        temporal_net = build_backbone(temporal, in_channels=2 * clip.flow_len, weights=temporal_weights, layers=layers)
        self.nets = nn.ModuleDict({"spatial": spatial_net, "temporal": temporal_net})
        self.heads = nn.ModuleDict(
            {
                part: nn.Sequential(nn.Dropout(dropout), nn.Linear(net.num_features, self.num_classes))
                for part, net in (("spatial", spatial_net), ("temporal", temporal_net))
            }
        )
        self.register_buffer("fusion_weights", torch.tensor(fusion_weights), persistent=False)
        self.register_buffer("even_weights", torch.ones(2), persistent=False)
        self.svm = SvmFusion(num_parts=2, num_classes=self.num_classes)
        for part, checkpoint in (("spatial", spatial_checkpoint), ("temporal", temporal_checkpoint)):
            if checkpoint is not None:
                load_part(checkpoint, part, self.nets[part], self.heads[part], self.class_names)
            if part not in self.trained_parts:
                self.nets[part].requires_grad_(False)
                self.heads[part].requires_grad_(False)
        self.train()  # a trainer keeps the mode that it finds: evaluation for the stream that is not trained

    def forward(self, rgb: Tensor, flow: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` and flow ``(B, 2, S*F, H, W)`` -> fused logits ``(B, K)``."""
        return self.fuse(self.forward_parts(rgb, flow))

    def forward_parts(self, rgb: Tensor, flow: Tensor) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of the spatial and of the temporal stream, averaged over frames and snippets."""
        B, _, num_frames = rgb.shape[:3]
        S = self.clip.num_snippets
        frames = rgb.transpose(1, 2).flatten(0, 1)  # (B*S*T, 3, H, W)
        spatial = self.heads["spatial"](self.nets["spatial"](frames))  # (B*S*T, K)
        temporal = self.heads["temporal"](self.nets["temporal"](stack_snippets(flow, S)))  # (B*S, K)
        return {
            "spatial": spatial.view(B, num_frames, -1).mean(dim=1),
            "temporal": temporal.view(B, S, -1).mean(dim=1),
        }

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Logits ``(B, K)`` of the fusion that the configuration names."""
        logits = torch.stack([parts[part] for part in self.parts])  # (2, B, K)
        if self.fusion == "svm":
            return self.svm(logits) if bool(self.svm.is_fitted) else FIXED_FUSIONS["mean"](logits, self.even_weights)
        weights = self.fusion_weights if self.fusion == "weighted" else self.even_weights
        return FIXED_FUSIONS[self.fusion](logits, weights)

    def all_fusions(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every fusion; the support vector machine once it is fitted."""
        logits = torch.stack([parts[part] for part in self.parts])  # (2, B, K)
        rows = {
            name: function(logits, self.fusion_weights if name == "weighted" else self.even_weights)
            for name, function in FIXED_FUSIONS.items()
        }
        return {**rows, "svm": self.svm(logits)} if bool(self.svm.is_fitted) else rows

    def train(self, mode: bool = True) -> TwoStream:
        """Set the mode; a stream that is not trained stays in evaluation mode."""
        super().train(mode)
        for part in set(self.parts) - set(self.trained_parts):
            self.nets[part].eval()
            self.heads[part].eval()
        return self


def stack_snippets(flow: Tensor, num_snippets: int) -> Tensor:
    """Flow ``(B, 2, S*F, H, W)`` -> ``(B*S, 2F, H, W)`` with channels x1 y1 x2 y2 ... of the fields of each snippet."""
    by_snippet = flow.unflatten(2, (num_snippets, -1)).transpose(1, 2)  # (B, S, 2, F, H, W)
    return stack_channels(by_snippet.flatten(0, 1))  # (B*S, 2F, H, W)
