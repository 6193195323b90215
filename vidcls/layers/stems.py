"""The first convolution of an RGB network -> one for another number of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def cross_modality_kernels(rgb_kernels: Tensor, in_channels: int) -> Tensor:
    """Kernels ``(D, in_channels, h, w)``: the mean of the RGB kernels over colour, repeated for every channel.

    Wang et al.: Temporal Segment Networks, ECCV 2016, section 3.2.
    """
    return rgb_kernels.mean(dim=1, keepdim=True).repeat(1, in_channels, *(1,) * (rgb_kernels.ndim - 2))


def replace_stem(network: nn.Module, in_channels: int, *, keep_weights: bool) -> None:
    """Give ``network`` a first convolution with ``in_channels``, in place.

    Args:
        network: a 2D network whose first ``nn.Conv2d`` sees the input.
        in_channels: C of the new input.
        keep_weights: whether the old kernels are carried over by :func:`cross_modality_kernels`; else fresh ones.
    """
    name, old = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    if old.in_channels == in_channels:
        return
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        kernel_size=old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        dilation=old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    if keep_weights:
        with torch.no_grad():
            new.weight.copy_(cross_modality_kernels(old.weight, in_channels))
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias)
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, new)
