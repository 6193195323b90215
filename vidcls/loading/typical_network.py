"""The networks of ``two_stream`` and ``late_fusion_imagenet``, for timing alone, without Lightning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcls.layers.backbones import build_backbone
from vidcls.types import ClipSettings


class TypicalNetwork(nn.Module):
    """Two ``small`` backbones with a classifier each, as ``TwoStream`` has them.

    Args:
        clip: which frames and fields a sample has.
        num_classes: K.
    """

    def __init__(self, clip: ClipSettings, num_classes: int) -> None:
        super().__init__()
        self.flow_len = clip.flow_len
        self.spatial, self.temporal = build_backbone("small", 3), build_backbone("small", 2 * clip.flow_len)
        self.heads = nn.ModuleList(nn.Linear(net.num_features, num_classes) for net in (self.spatial, self.temporal))

    def forward(self, rgb: Tensor, flow: Tensor) -> Tensor:
        """RGB ``(B, 3, S*T, H, W)`` and flow ``(B, 2, S*F, H, W)`` -> logits ``(B, K)``."""
        B, _, _, H, W = rgb.shape
        frames = rgb.transpose(1, 2).flatten(0, 1)  # (B*S*T, 3, H, W)
        stacks = flow.unflatten(2, (-1, self.flow_len)).transpose(1, 2)  # (B, S, 2, F, H, W)
        inputs = {self.spatial: frames, self.temporal: stacks.reshape(-1, 2 * self.flow_len, H, W)}
        outputs = [
            head(net(maps).unflatten(0, (B, -1)).mean(1))
            for head, (net, maps) in zip(self.heads, inputs.items(), strict=True)
        ]
        logits: Tensor = outputs[0] + outputs[1]
        return logits


class TypicalLateFusion(nn.Module):
    """EfficientNet-Lite0 on the first and the last frame, as ``late_fusion_imagenet`` has it, with random weights.

    The joined layer is one on pooled features, which changes a hundredth of the cost.

    Args:
        num_classes: K.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.backbone = build_backbone("efficientnet_lite0", 3)
        self.head = nn.Linear(2 * self.backbone.num_features, num_classes)

    def forward(self, rgb: Tensor) -> Tensor:
        """RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        features = self.backbone(torch.cat([rgb[:, :, 0], rgb[:, :, -1]]))  # (2*B, D)
        logits: Tensor = self.head(torch.cat(features.chunk(2), dim=1))
        return logits
