"""CNN-M-2048: the network of both streams in the two-stream paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone


class CnnM2048(Backbone):
    """Five convolutions and two fully connected layers, up to the 2048 features before the classifier.

    Chatfield, Simonyan, Vedaldi and Zisserman: Return of the Devil in the Details, BMVC 2014; as used by Simonyan and
    Zisserman: Two-Stream Convolutional Networks for Action Recognition in Videos, NIPS 2014. Input 224x224.

    Layers: conv 7x7x96 /2, LRN, pool; conv 5x5x256 /2, LRN, pool; three conv 3x3x512, pool; FC 4096; FC 2048; all pools
    3x3 /2; ReLU after every layer. The temporal network has no second LRN.

    Deviations: the papers do not print the padding. Here it is 0, 1, 1, 1, 1 with pools that round up, so that
    224 -> 109 -> 54 -> 26 -> 13 -> 13 -> 6 and the first fully connected layer sees 6x6x512. PyTorch divides the
    alpha of LRN by its size, hence 5e-4 for the papers' 1e-4 over 5 channels.

    Args:
        in_channels: 3 for RGB, 2L for L stacked flow fields.
        dropout: share of the units of both fully connected layers that are dropped while training.
        second_norm: whether the second LRN is there (spatial network: yes, temporal network: no).
    """

    def __init__(self, in_channels: int = 3, *, dropout: float = 0.9, second_norm: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, 96, kernel_size=7, stride=2), nn.ReLU(inplace=True), _lrn(), _pool()
        )
        norm2: nn.Module = _lrn() if second_norm else nn.Identity()
        self.conv2 = nn.Sequential(
            nn.Conv2d(96, 256, kernel_size=5, stride=2, padding=1), nn.ReLU(inplace=True), norm2, _pool()
        )
        self.conv3 = nn.Sequential(nn.Conv2d(256, 512, kernel_size=3, padding=1), nn.ReLU(inplace=True))
        self.conv4 = nn.Sequential(nn.Conv2d(512, 512, kernel_size=3, padding=1), nn.ReLU(inplace=True))
        self.conv5 = nn.Sequential(nn.Conv2d(512, 512, kernel_size=3, padding=1), nn.ReLU(inplace=True), _pool())
        self.fc6 = nn.Sequential(nn.Linear(512 * 6 * 6, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.fc7 = nn.Sequential(nn.Linear(4096, 2048), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.num_features = 2048

    @property
    def stem(self) -> nn.Conv2d:
        """The first convolution."""
        convolution = self.conv1[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The five convolutional parts."""
        return {name: getattr(self, name) for name in ("conv1", "conv2", "conv3", "conv4", "conv5")}

    def forward(self, x: Tensor) -> Tensor:
        """Input ``(B, C, 224, 224)`` -> features ``(B, 2048)``; errors at another size."""
        if x.shape[-2:] != (224, 224):
            raise ValueError(f"cnn_m_2048 takes 224x224, got {x.shape[-2]}x{x.shape[-1]}: set transform.crop_px to 224")
        x = self.conv1(x)  # (B, 96, 54, 54)
        x = self.conv2(x)  # (B, 256, 13, 13)
        x = self.conv3(x)  # (B, 512, 13, 13)
        x = self.conv4(x)  # (B, 512, 13, 13)
        x = self.conv5(x)  # (B, 512, 6, 6)
        x = self.fc6(torch.flatten(x, 1))  # (B, 4096)
        return self.fc7(x)  # (B, 2048)


def _lrn() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
