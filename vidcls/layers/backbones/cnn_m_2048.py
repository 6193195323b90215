"""CNN-M-2048: the network of both streams in the two-stream paper."""

from __future__ import annotations

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import FlattenMaps
from vidcls.layers.settings import LayerSettings


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
        layers: normalisation (LRN in the paper, in its two places), activation and initial weights; another
            normalisation comes before every activation.
        num_towers: see :class:`Backbone`; the first fully connected layer sees the maps of all towers.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        dropout: float = 0.9,
        second_norm: bool = True,
        layers: LayerSettings | None = None,
        num_towers: int = 1,
    ) -> None:
        layers = layers or LayerSettings()
        lrn1, lrn2 = (_lrn(), _lrn() if second_norm else nn.Identity()) if layers.norm is None else (nn.Identity(),) * 2

        def convolution(
            c_in: int, c_out: int, kernel: int, stride: int, padding: int, *after: nn.Module
        ) -> nn.Sequential:
            conv = nn.Conv2d(c_in, c_out, kernel_size=kernel, stride=stride, padding=padding)
            norm = () if layers.norm is None else (layers.make_norm(c_out, nn.BatchNorm2d),)
            return nn.Sequential(conv, *norm, layers.make_activation(), *after)

        stages = {
            "conv1": convolution(in_channels, 96, 7, 2, 0, lrn1, _pool()),  # (B, 96, 54, 54)
            "conv2": convolution(96, 256, 5, 2, 1, lrn2, _pool()),  # (B, 256, 13, 13)
            "conv3": convolution(256, 512, 3, 1, 1),  # (B, 512, 13, 13)
            "conv4": convolution(512, 512, 3, 1, 1),  # (B, 512, 13, 13)
            "conv5": convolution(512, 512, 3, 1, 1, _pool()),  # (B, 512, 6, 6)
        }
        read_out = nn.Sequential(
            FlattenMaps((512 * num_towers, 6, 6), expects="cnn_m_2048 takes 224x224"),
            nn.Linear(512 * num_towers * 6 * 6, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
            nn.Linear(4096, 2048),
            layers.make_activation(),
            nn.Dropout(dropout),
        )
        super().__init__(stages, read_out, num_features=2048)
        layers.initialise(self)


def _lrn() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
