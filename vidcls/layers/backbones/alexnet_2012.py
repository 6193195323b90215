"""AlexNet as it was in 2012, on two GPUs."""

from __future__ import annotations

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import FlattenMaps
from vidcls.layers.settings import LayerSettings

BIAS_ONE = ("conv2", "conv4", "conv5")  # section 5; the fully connected layers too


class AlexNet2012(Backbone):
    """Five convolutions, three of them in two groups, and two fully connected layers of 4096.

    Krizhevsky, Sutskever and Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012. Input
    227x227. Torchvision's ``alexnet`` is the later form for one GPU (2014) with other widths and without LRN.

    Layers: conv 11x11x96 /4, LRN, pool; conv 5x5x256 in 2 groups, LRN, pool; conv 3x3x384; conv 3x3x384 in 2 groups;
    conv 3x3x256 in 2 groups, pool; FC 4096, FC 4096; pools 3x3 /2 overlap; ReLU after every layer, dropout after both
    FC. Initial weights are N(0, .01), biases 1 in the second, fourth and fifth convolution and the FC, 0 elsewhere.

    Deviations: the paper says 224x224, which does not fit its own sizes; 227 does. PyTorch divides the alpha of LRN by
    its size, hence 5e-4 for the paper's 1e-4 over 5 channels.

    Args:
        in_channels: 3 for RGB.
        dropout: share of the units of both fully connected layers that are dropped while training.
        layers: normalisation (LRN in the paper, in its two places), activation and initial weights; another
            normalisation comes before every activation.
        num_towers: see :class:`Backbone`; the first fully connected layer sees the maps of all towers.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        num_towers: int = 1,
    ) -> None:
        layers = layers or LayerSettings()

        def convolution(c_in: int, c_out: int, kernel: int, *after: nn.Module, groups: int = 1) -> nn.Sequential:
            stride, padding = (4, 0) if kernel == 11 else (1, kernel // 2)
            conv = nn.Conv2d(c_in, c_out, kernel_size=kernel, stride=stride, padding=padding, groups=groups)
            norm = () if layers.norm is None else (layers.make_norm(c_out, nn.BatchNorm2d),)
            return nn.Sequential(conv, *norm, layers.make_activation(), *after)

        def lrn() -> nn.Module:
            return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0) if layers.norm is None else nn.Identity()

        stages = {
            "conv1": convolution(in_channels, 96, 11, lrn(), _pool()),  # (B, 96, 27, 27)
            "conv2": convolution(96, 256, 5, lrn(), _pool(), groups=2),  # (B, 256, 13, 13)
            "conv3": convolution(256, 384, 3),  # (B, 384, 13, 13)
            "conv4": convolution(384, 384, 3, groups=2),  # (B, 384, 13, 13)
            "conv5": convolution(384, 256, 3, _pool(), groups=2),  # (B, 256, 6, 6)
        }
        read_out = nn.Sequential(
            FlattenMaps((256 * num_towers, 6, 6), expects="alexnet_2012 takes 227x227"),
            nn.Linear(256 * num_towers * 6 * 6, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
        )
        super().__init__(stages, read_out, num_features=4096, input_px=(227, 227))
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.01)
                is_one = isinstance(module, nn.Linear) or name.split(".")[1] in BIAS_ONE
                nn.init.constant_(module.bias, 1.0 if is_one else 0.0)
        layers.initialise(self)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(kernel_size=3, stride=2)
