"""AudioVisual: appearance from frames and sound from log-mel spectrograms, fused at the end."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from vidcls.layers import LayerSettings, build_backbone
from vidcls.models.sound_fusion import FusesSound, SoundFusion
from vidcls.types import AUDIO, RGB, Stream


class AudioVisual(FusesSound):
    """A spatial network on frames and an audio network on log-mel spectrograms; their scores are fused.

    The audio network sees a spectrogram as an image of one channel: Hershey et al.: CNN Architectures for Large-Scale
    Audio Classification, ICASSP 2017. The fusion is the late one of :class:`TwoStream`: each stream has a loss of its
    own, and frames and snippets are averaged. A video without sound is answered by the spatial stream alone.

    Deviations from the paper: any 2D network in place of VGG, trained on the labels of the videos.

    Args:
        spatial: backbone of the spatial stream: one of ours such as ``small``, or an image network of torchvision.
        audio: backbone of the audio stream, of the same kinds.
        spatial_weights: initial weights of the spatial backbone: a name such as torchvision's ``DEFAULT``, a file, or
            none for random.
        audio_weights: the same for the audio backbone, whose first layer is made from the RGB kernels.
        dropout: share of the features that is dropped before each classifier while training.
        fusion: how the answers become one. ``product`` is the mean of log-probabilities, ``mean`` that of
            probabilities, ``weighted`` a mean by ``fusion_weights``.
        fusion_weights: weights of the spatial and audio stream in ``weighted``.
        layers: normalisation, activation and initial weights of backbones of ours.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB, AUDIO)
    parts: ClassVar[tuple[str, ...]] = ("spatial", "audio")
    initial_weights: ClassVar[tuple[str, ...]] = ("spatial_weights", "audio_weights")

    def __init__(
        self,
        *,
        spatial: str = "resnet18",
        audio: str = "resnet18",
        spatial_weights: str | None = None,
        audio_weights: str | None = None,
        dropout: float = 0.5,
        fusion: SoundFusion = "product",
        fusion_weights: tuple[float, float] = (1.0, 1.0),
        layers: LayerSettings | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        networks = {
            "spatial": build_backbone(spatial, 3, weights=spatial_weights, layers=layers),
            "audio": build_backbone(audio, 1, weights=audio_weights, layers=layers),
        }
        self.take_networks(networks, dropout=dropout, fusion=fusion, fusion_weights=fusion_weights)

    def forward(self, rgb: Tensor, audio: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, S*T, H, W)`` and sound ``(B, 1, S, M, N)`` -> fused logits ``(B, K)``."""
        return self.fuse(self.forward_parts(rgb, audio))
