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
        network: a 2D or 3D network whose first convolution sees the input.
        in_channels: C of the new input.
        keep_weights: whether the old kernels are carried over by :func:`cross_modality_kernels`; else fresh ones.
    """
    name, old = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    if old.in_channels == in_channels:
        return
    new = _like(old, in_channels)
    if keep_weights:
        with torch.no_grad():
            new.weight.copy_(cross_modality_kernels(old.weight, in_channels))
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias)
    _put(network, name, new)


def inflate_stem(network: nn.Module, num_frames: int, *, keep_weights: bool) -> None:
    """Let the first convolution of ``network`` see T frames at once, in place: ``3 T`` channels, frame after frame.

    Kept kernels are repeated over the frames and divided by T, so that a still clip gives what its frame gave
    (Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017, section 2.4).

    Args:
        network: a 2D network whose first ``nn.Conv2d`` sees the input.
        num_frames: T.
        keep_weights: whether the kernels are carried over; else fresh ones.
    """
    name, old = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    new = _like(old, num_frames * old.in_channels)
    if keep_weights:
        with torch.no_grad():
            new.weight.copy_(old.weight.repeat(1, num_frames, 1, 1) / num_frames)
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias)
    _put(network, name, new)


def _like(old: nn.Conv2d | nn.Conv3d, in_channels: int) -> nn.Conv2d | nn.Conv3d:
    return type(old)(
        in_channels,
        old.out_channels,
        kernel_size=old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        dilation=old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        device=old.weight.device,
    )


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
