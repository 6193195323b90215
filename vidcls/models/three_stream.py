"""ThreeStream: appearance from frames, motion from stacked optical flow, sound from log-mel spectrograms."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from vidcls.errors import ConfigurationError
from vidcls.layers import LayerSettings, build_backbone
from vidcls.models.sound_fusion import FusesSound, SoundFusion
from vidcls.types import AUDIO, FLOW, RGB, Stream


class ThreeStream(FusesSound):
    """The spatial and the temporal network of :class:`TwoStream` and the audio network of :class:`AudioVisual`, fused.

    Simonyan and Zisserman: Two-Stream Convolutional Networks for Action Recognition in Videos, NIPS 2014; Hershey et
    al.: CNN Architectures for Large-Scale Audio Classification, ICASSP 2017. Each stream has a loss of its own. A video
    without sound is answered by the spatial and temporal streams alone.

    Args:
        spatial: backbone of the spatial stream: one of ours such as ``small``, or an image network of torchvision.
        temporal: backbone of the temporal stream, on ``2 * flow_len`` channels; also ``cnn_m_2048_temporal``.
        audio: backbone of the audio stream, on one channel.
        spatial_weights: initial weights of the spatial backbone: a name such as torchvision's ``DEFAULT``, a file, or
            none for random.
        temporal_weights: the same for the temporal backbone, whose first layer is made from the RGB kernels.
        audio_weights: the same for the audio backbone.
        dropout: share of the features that is dropped before each classifier while training.
        fusion: how the answers become one. ``product`` is the mean of log-probabilities, ``mean`` that of
            probabilities, ``weighted`` a mean by ``fusion_weights``.
        fusion_weights: weights of the spatial, temporal and audio stream in ``weighted``.
        layers: normalisation, activation and initial weights of backbones of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB, FLOW, AUDIO)
    parts: ClassVar[tuple[str, ...]] = ("spatial", "temporal", "audio")
    initial_weights: ClassVar[tuple[str, ...]] = ("spatial_weights", "temporal_weights", "audio_weights")

    def __init__(
        self,
        *,
        spatial: str = "resnet18",
        temporal: str = "resnet18",
        audio: str = "resnet18",
        spatial_weights: str | None = None,
        temporal_weights: str | None = None,
        audio_weights: str | None = None,
        dropout: float = 0.5,
        fusion: SoundFusion = "product",
        fusion_weights: tuple[float, float, float] = (1.0, 1.5, 1.0),
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        networks = {
            "spatial": build_backbone(spatial, 3, weights=spatial_weights, layers=layers),
            "temporal": build_backbone(temporal, 2 * self.clip.flow_len, weights=temporal_weights, layers=layers),
            "audio": build_backbone(audio, 1, weights=audio_weights, layers=layers),
        }
        self.take_networks(networks, dropout=dropout, fusion=fusion, fusion_weights=fusion_weights)

    def forward(self, rgb: Tensor, flow: Tensor, audio: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)``, flow ``(B, 2, S*F, H, W)`` and sound ``(B, 1, S, M, N)`` -> logits ``(B, K)``."""
        return self.fuse(self.forward_parts(rgb, flow, audio))

    def forward_parts(self, rgb: Tensor, flow: Tensor, audio: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Logits ``(B, K)`` of every stream; those of sound are 0 for a video without."""
        S, F = self.clip.num_snippets, self.clip.flow_len
        if flow.shape[2] != S * F:
            raise ConfigurationError(f"this network sees {S} x {F} flow fields of a clip, got {flow.shape[2]} fields")
        return super().forward_parts(rgb, flow, audio)
