"""SingleFrame: what one frame tells, averaged over the frames of a clip."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from vidcls.layers import LayerSettings
from vidcls.layers.multi_resolution import frame_network
from vidcls.layers.snippets import as_frames, average_clips
from vidcls.models.classifier import VideoClassifier
from vidcls.tasks import DEFAULT_TASK, TaskName
from vidcls.training.losses import LossSettings
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.transfer import TransferSettings
from vidcls.types import RGB, ClipSettings, Stream


class SingleFrame(VideoClassifier):
    """An image network on every frame; the logits of the frames of a clip are averaged, so that order cannot matter.

    The baseline of Karpathy et al.: Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, on
    any 2D backbone; the paper's form has ``backbone: karpathy``. With ``clip_len: 1`` it sees one frame.

    Args:
        class_names: K names in the order of the logits; set from the data.
        clip: which frames make a clip; set from the data.
        task: what a label means; set from the data.
        backbone: ``karpathy`` (the paper's), another of ours such as ``small``, or an image network of torchvision such
            as ``resnet18``.
        weights: initial weights of the backbone: a name such as torchvision's ``DEFAULT``, a file, or none for random.
        multi_resolution: two networks, one on the whole at half the size (context), one on the centre (fovea).
        dropout: share of the features that is dropped before the classifier while training.
        optimization: optimiser and learning rate.
        loss: label smoothing and class weights.
        layers: normalisation, activation and initial weights of a backbone of ours.
        transfer: which stages keep the weights that they start from, and how fast the others move.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(
        self,
        *,
        class_names: list[str],
        clip: ClipSettings,
        task: TaskName = DEFAULT_TASK,
        backbone: str = "resnet18",
        weights: str | None = None,
        multi_resolution: bool = False,
        dropout: float = 0.5,
        optimization: OptimizationSettings | None = None,
        loss: LossSettings | None = None,
        layers: LayerSettings | None = None,
        transfer: TransferSettings | None = None,
    ) -> None:
        super().__init__(
            class_names=class_names, clip=clip, task=task, optimization=optimization, loss=loss, transfer=transfer
        )
        self.backbone = frame_network(backbone, weights=weights, layers=layers, multi_resolution=multi_resolution)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.backbone.num_features, self.num_classes))
        self.apply_transfer()

    @property
    def receptive_field(self) -> int:
        """One frame."""
        return 1

    def forward(self, rgb: Tensor) -> Tensor:  # type: ignore[override]
        """RGB ``(B, 3, T, H, W)`` -> logits ``(B, K)``."""
        T = rgb.shape[2]
        logits = self.head(self.backbone(as_frames(rgb)))  # (B*T, K)
        return average_clips(logits, T)  # (B, K)
