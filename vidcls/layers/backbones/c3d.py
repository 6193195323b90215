"""C3D: 3x3x3 convolutions all the way."""

from __future__ import annotations

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import FlattenMaps
from vidcls.layers.settings import LayerSettings

INPUT_LEN = 16
INPUT_PX = 112


class C3D(Backbone):
    """Eight convolutions of 3x3x3 and two fully connected layers over clips of 16 frames of 112x112.

    Tran, Bourdev, Fergus, Torresani, Paluri: Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV
    2015, section 3.3. conv 64, pool (1,2,2); conv 128, pool; conv 256 x2, pool; conv 512 x2, pool; conv 512 x2, pool
    with spatial padding 1; FC 4096; FC 4096. All pools but the first are 2x2x2; ReLU after every layer.

    Args:
        in_channels: 3 for RGB, 2 for flow.
        dropout: share of the units of both fully connected layers that are dropped while training.
        layers: normalisation (none in the paper), activation and initial weights.
    """

    def __init__(self, in_channels: int = 3, *, dropout: float = 0.5, layers: LayerSettings | None = None) -> None:
        layers = layers or LayerSettings()

        def convolution(c_in: int, c_out: int) -> list[nn.Module]:
            conv = nn.Conv3d(c_in, c_out, kernel_size=3, padding=1)
            norm = [] if layers.norm is None else [layers.make_norm(c_out, nn.BatchNorm3d, in_3d=True)]
            return [conv, *norm, layers.make_activation()]

        pool_last = nn.MaxPool3d(2, padding=(0, 1, 1))
        stages: dict[str, nn.Module] = {
            "conv1": nn.Sequential(*convolution(in_channels, 64), nn.MaxPool3d((1, 2, 2))),  # (B, 64, 16, 56, 56)
            "conv2": nn.Sequential(*convolution(64, 128), nn.MaxPool3d(2)),  # (B, 128, 8, 28, 28)
            "conv3": nn.Sequential(
                *convolution(128, 256), *convolution(256, 256), nn.MaxPool3d(2)
            ),  # (B, 256, 4, 14, 14)
            "conv4": nn.Sequential(
                *convolution(256, 512), *convolution(512, 512), nn.MaxPool3d(2)
            ),  # (B, 512, 2, 7, 7)
            "conv5": nn.Sequential(*convolution(512, 512), *convolution(512, 512), pool_last),  # (B, 512, 1, 4, 4)
        }
        read_out = nn.Sequential(
            FlattenMaps((512, 1, 4, 4), expects="c3d takes 16 frames of 112x112"),
            nn.Linear(512 * 4 * 4, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
        )
        super().__init__(stages, read_out, num_features=4096, input_px=(INPUT_PX, INPUT_PX), input_len=INPUT_LEN)
        layers.initialise(self)
