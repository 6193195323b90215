"""Plain and residual networks for small pictures: the pair that showed what shortcuts are for."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.settings import LayerSettings

WIDTHS = (16, 32, 64)


class CifarNet(Backbone):
    """A 3x3 convolution, then three groups of 2n 3x3 convolutions with 16, 32 and 64 maps, then global average pooling.

    He, Zhang, Ren and Sun: Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2: 6n + 2 layers with the
    classifier. The second and third group halve the size in their first convolution. Residual networks add the input
    of each pair of convolutions to its output; where the sizes differ, every second place is taken and the missing maps
    are zero (option A: no parameters). Batch normalisation and ReLU; initial weights ``kaiming`` (He et al. 2015). The
    convolutions have no bias, also without normalisation.

    Args:
        depth: layers with weights: 6n + 2, such as 20 or 56.
        residual: whether there are shortcuts.
        in_channels: 3 for RGB.
        layers: normalisation, activation and initial weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(
        self,
        depth: int,
        *,
        residual: bool,
        in_channels: int = 3,
        layers: LayerSettings | None = None,
        num_towers: int = 1,
    ) -> None:
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth is 6n + 2, such as 20, 32, 44 or 56, got {depth}")
        layers = layers or LayerSettings()
        stages: dict[str, nn.Module] = {"stem": nn.Sequential(*_layer(in_channels, WIDTHS[0], 1, layers))}
        channels = WIDTHS[0]
        for k, width in enumerate(WIDTHS, start=1):
            blocks = []
            for position in range((depth - 2) // 6):
                stride = 2 if k > 1 and position == 0 else 1
                blocks.append(_Pair(channels, width, stride, residual, layers))
                channels = width
            stages[f"group{k}"] = nn.Sequential(*blocks)
        super().__init__(stages, GlobalAverage(), num_features=WIDTHS[-1], num_towers=num_towers, input_px=(32, 32))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        layers.initialise(self)


def _layer(c_in: int, c_out: int, stride: int, layers: LayerSettings) -> list[nn.Module]:
    convolution = nn.Conv2d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False)
    return [convolution, layers.make_norm(c_out, nn.BatchNorm2d), layers.make_activation()]


class _Pair(nn.Module):
    """Two convolutions, the shortcut joined before the last activation."""

    def __init__(self, c_in: int, c_out: int, stride: int, residual: bool, layers: LayerSettings) -> None:
        super().__init__()
        *second, self.activation = _layer(c_out, c_out, 1, layers)
        self.convolutions = nn.Sequential(*_layer(c_in, c_out, stride, layers), *second)
        self.residual = residual
        self.residual_branch = "convolutions" if residual else None
        self.stride = stride
        self.num_new = c_out - c_in

    def forward(self, maps: Tensor) -> Tensor:
        out = self.convolutions(maps)
        if self.residual:
            taken = maps[:, :, :: self.stride, :: self.stride]
            out = out + F.pad(taken, (0, 0, 0, 0, 0, self.num_new))  # zeros behind the maps that there are
        return self.activation(out)
