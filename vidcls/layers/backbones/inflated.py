"""A 2D ResNet -> the same over clips, its kernels repeated over time (I3D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.torchvision_zoo import TorchvisionBackbone

PREFIX = "i3d_"
INPUT_LEN = 16


class InflatedResNet(Backbone):
    """A ResNet of torchvision whose k x k kernels became k x k x k, so that a still clip gives what its frame gave.

    Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017, section 2.4: kernels are repeated along time and
    divided by their extent, and the first pool is 1x3x3. Strides in time are those in space, except at that pool.

    Deviations: the paper inflates Inception-v1. Clips are continued at both ends by their first and last maps in place
    of zeros, so that the equality for still clips holds at the ends too.

    Args:
        name: of a ResNet, ResNeXt or wide ResNet of torchvision.
        in_channels: 3 for RGB, 2 for flow.
        weights: of the 2D network, see :class:`TorchvisionBackbone`.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None) -> None:
        flat = TorchvisionBackbone(name, in_channels, weights=weights)
        inflate(flat.stages)
        super().__init__(dict(flat.stages.items()), flat.read_out, num_features=flat.num_features, input_len=INPUT_LEN)


class InflatedConv(nn.Conv3d):
    """A convolution whose input is continued in time by its first and last maps, and in space by zeros."""

    def forward(self, clip: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, D, T / stride, H', W')``."""
        num_before = (self.kernel_size[0] - 1) // 2
        if num_before:
            first = clip[:, :, :1].expand(-1, -1, num_before, -1, -1)
            last = clip[:, :, -1:].expand(-1, -1, num_before, -1, -1)
            clip = torch.cat([first, clip, last], dim=2)
        return super().forward(clip)


def inflate(network: nn.Module) -> None:
    """Turn every 2D convolution, normalisation and pool inside ``network`` into its 3D form, in place."""
    for name, module in network.named_children():
        if isinstance(module, nn.Conv2d):
            setattr(network, name, _convolution(module))
        elif isinstance(module, nn.BatchNorm2d):
            setattr(network, name, _normalisation(module))
        elif isinstance(module, nn.MaxPool2d):
            setattr(network, name, _pool(module))
        else:
            inflate(module)


def _convolution(flat: nn.Conv2d) -> InflatedConv:
    (kernel, width), (stride, stride_x), (dilation, dilation_x) = flat.kernel_size, flat.stride, flat.dilation
    assert not isinstance(flat.padding, str)
    top, left = flat.padding
    solid = InflatedConv(
        flat.in_channels,
        flat.out_channels,
        (kernel, kernel, width),
        stride=(stride, stride, stride_x),
        padding=(0, top, left),
        dilation=(1, dilation, dilation_x),
        groups=flat.groups,
        bias=flat.bias is not None,
        device=flat.weight.device,
    )
    with torch.no_grad():
        solid.weight.copy_(flat.weight.unsqueeze(2).expand_as(solid.weight) / kernel)
        if flat.bias is not None and solid.bias is not None:
            solid.bias.copy_(flat.bias)
    return solid


def _normalisation(flat: nn.BatchNorm2d) -> nn.BatchNorm3d:
    solid = nn.BatchNorm3d(flat.num_features, eps=flat.eps, momentum=flat.momentum, device=flat.weight.device)
    solid.load_state_dict(flat.state_dict())
    return solid


def _pool(flat: nn.MaxPool2d) -> nn.MaxPool3d:
    sizes = [value if isinstance(value, int) else value[0] for value in (flat.kernel_size, flat.stride, flat.padding)]
    kernel, stride, padding = sizes
    return nn.MaxPool3d((1, kernel, kernel), stride=(1, stride, stride), padding=(0, padding, padding))
