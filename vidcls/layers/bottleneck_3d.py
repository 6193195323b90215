"""A bottleneck of 3D convolutions: the block of SlowFast's pathways."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Bottleneck3D(nn.Module):
    """1x1x1 or 3x1x1, then 1x3x3 with the stride in space, then 1x1x1; the shortcut is joined before the last ReLU.

    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, with an extent in time in the first
    convolution alone (Feichtenhofer et al. 2019, table 1). Where sizes differ, the shortcut is a 1x1x1 convolution.

    Args:
        c_in: channels that come in.
        c_inner: channels of the first two convolutions.
        c_out: channels that go out.
        time_len: frames that the first convolution spans.
        stride: steps in space.
    """

    residual_branch = "third"

    def __init__(self, c_in: int, c_inner: int, c_out: int, *, time_len: int, stride: int) -> None:
        super().__init__()
        self.first = convolution_3d(c_in, c_inner, (time_len, 1, 1))
        self.second = convolution_3d(c_inner, c_inner, (1, 3, 3), stride=(1, stride, stride))
        self.third = convolution_3d(c_inner, c_out, (1, 1, 1), active=False)
        self.activation = nn.ReLU()
        same = c_in == c_out and stride == 1
        shortcut = convolution_3d(c_in, c_out, (1, 1, 1), stride=(1, stride, stride), active=False)
        self.downsample = nn.Identity() if same else shortcut

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, D, T, H / stride, W / stride)``."""
        out = self.third(self.second(self.first(maps)))
        return self.activation(self.downsample(maps) + out)


class TimeConv3d(nn.Conv3d):
    """A convolution over time alone, ``(k, 1, 1)``, computed in 2D over (time, places); its parameters are those in 3D.

    On a CPU it is faster, and gradients in bfloat16 of clips shorter than the kernel are finite; those of the 3D kernel
    of oneDNN are not (torch 2.14.1).
    """

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, D, T / stride, H, W)``."""
        places = maps.shape[3:]
        assert not isinstance(self.padding, str)
        flat = F.conv2d(
            maps.flatten(3),
            self.weight[..., 0],
            self.bias,
            stride=(self.stride[0], 1),
            padding=(self.padding[0], 0),
            groups=self.groups,
        )
        return flat.unflatten(3, places)


def convolution_3d(
    c_in: int,
    c_out: int,
    kernel: tuple[int, int, int],
    *,
    stride: tuple[int, int, int] = (1, 1, 1),
    groups: int = 1,
    active: bool = True,
) -> nn.Sequential:
    """Convolution, batch normalisation and, where ``active``, ReLU; padded so that a stride of 1 keeps the size."""
    layer = nn.Sequential()
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    kind = TimeConv3d if kernel[0] > 1 and kernel[1:] == (1, 1) and stride[1:] == (1, 1) else nn.Conv3d
    layer.add_module("conv", kind(c_in, c_out, kernel, stride=stride, padding=padding, groups=groups, bias=False))
    layer.add_module("norm", nn.BatchNorm3d(c_out))
    if active:
        layer.add_module("activation", nn.ReLU())
    return layer


def initialise_3d(network: nn.Module, *, zero_init_residual: bool = False) -> None:
    """Weights by He et al. 2015 (Delving Deep into Rectifiers) for every convolution, in place.

    Args:
        network: as built.
        zero_init_residual: the last normalisation of each residual branch starts with factors of zero, so that a block
            is its shortcut at first (Goyal et al. 2017, arXiv:1706.02677); blocks name it by ``residual_branch``.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        branch = getattr(module, "residual_branch", None)
        if zero_init_residual and isinstance(branch, str):
            nn.init.zeros_(module.get_submodule(f"{branch}.norm").weight)  # type: ignore[arg-type]
