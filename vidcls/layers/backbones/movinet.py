"""MoViNet: small 3D networks that were found by a search, and their causal forms, which see frames one by one."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.movinet_forms import CAUSAL_FORMS, FORMS, KERNELS, STRIDES, Form
from vidcls.layers.backbones.x3d import rounded
from vidcls.layers.bottleneck_3d import TimeConv3d
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.same_padding import SameConv3d, SameMean
from vidcls.layers.streaming import CumulativeMean, FramesBefore, MeanSoFar

SQUEEZED = 4  # channels for each one in squeeze-and-excitation


class MoViNetNet(Backbone):
    """Inverted bottlenecks with a depthwise convolution in space and time, squeeze-and-excitation, and ReZero.

    Kondratyuk, Yuan, Li, Zhang, Tan, Brown, Gong: MoViNets: Mobile Video Networks for Efficient Video Recognition, CVPR
    2021. In the causal forms ("stream") a layer sees no later frame: squeeze-and-excitation has the mean over all
    frames so far beside that of the frame, depthwise convolutions are one in space and one over time, each with its
    normalisation and activation, and hard swish and hard sigmoid replace swish and sigmoid, as in the authors' code.

    Args:
        form: ``a0`` to ``a5``, the paper's; ``tiny`` for a CPU.
        causal: whether frames are seen as they come; of ``tiny`` and ``a0`` to ``a2``.
        in_channels: C of the input.
        zero_init_residual: the branch of each block has a factor, which starts at 0 and not at 1: a block is its
            shortcut at first (ReZero, Bachlechner et al. 2020, arXiv:2003.04887).

    Raises:
        ValueError: there is no such form, or none that is causal.
    """

    def __init__(
        self, form: Form = "a0", *, causal: bool = False, in_channels: int = 3, zero_init_residual: bool = True
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got {form!r}")
        if causal and form not in CAUSAL_FORMS:
            raise ValueError(f"form {form!r} has no causal network: use one of {', '.join(CAUSAL_FORMS)}")
        layers = FORMS[form]
        stages: dict[str, nn.Module] = {"stem": _Conv(in_channels, layers.stem, (1, 3, 3), stride=2, causal=causal)}
        channels = layers.stem
        for number, ((c_out, texts), first_stride) in enumerate(zip(layers.blocks, STRIDES, strict=True), start=2):
            blocks = []
            for place, text in enumerate(texts.split()):
                inner, _, kernel = text.partition("/")
                stride = first_stride if place == 0 else 1
                blocks.append(_Block(channels, int(inner), c_out, KERNELS[kernel], stride=stride, causal=causal))
                channels = c_out
            stages[f"block{number}"] = nn.Sequential(*blocks)
        stages["conv7"] = _Conv(channels, layers.num_maps, (1, 1, 1), causal=causal)
        read_out = nn.Sequential(
            MeanSoFar() if causal else GlobalAverage(),
            nn.Linear(layers.num_maps, layers.num_features),
            nn.SiLU(),  # of the causal networks too
        )
        super().__init__(
            stages,
            read_out,
            num_features=layers.num_features,
            input_px=(layers.side_px, layers.side_px),
            input_len=layers.num_frames,
        )
        self.layers = layers
        self.sees_all_frames = True  # by squeeze-and-excitation
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, _Block) and not zero_init_residual:
                nn.init.ones_(module.scale)


class _Conv(nn.Module):
    """Convolution, batch normalisation, activation; where it is causal and spans frames, in space and then over time.

    Both have the same groups; the kernel of a causal one spans frames only where each channel is by itself.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: tuple[int, int, int],
        *,
        causal: bool,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        splits = causal and kernel[0] > 1
        in_space = (1, *kernel[1:]) if splits else kernel
        self.conv = SameConv3d(c_in, c_out, in_space, stride=stride, groups=groups)
        self.norm = _norm(c_out)
        self.activation = _activation(causal=causal) if active else nn.Identity()
        self.time = _OverTime(c_out, kernel[0], groups=groups) if splits else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, D, T, H / stride, W / stride)``."""
        return self.time(self.activation(self.norm(self.conv(maps))))


class _OverTime(nn.Module):
    """The causal convolution over time alone: a frame and those before it."""

    def __init__(self, channels: int, time_len: int, *, groups: int) -> None:
        super().__init__()
        self.before = FramesBefore(time_len - 1)
        self.conv = TimeConv3d(channels, channels, (time_len, 1, 1), groups=groups, bias=False)
        self.norm = _norm(channels)
        self.activation = _activation(causal=True)

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> the same shape."""
        return self.activation(self.norm(self.conv(self.before(maps))))


class _Squeeze(nn.Module):
    """Squeeze-and-excitation: of a clip its mean; causal, the mean of the frame beside that of all so far."""

    def __init__(self, channels: int, *, causal: bool) -> None:
        super().__init__()
        factor = 2 if causal else 1
        squeezed = rounded(channels * factor / SQUEEZED)
        self.so_far = CumulativeMean() if causal else None
        self.squeeze = nn.Conv3d(factor * channels, squeezed, 1)
        self.activation = _activation(causal=causal)
        self.excite = nn.Conv3d(squeezed, channels, 1)
        self.gate = _HardSigmoid() if causal else nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> the same shape."""
        if self.so_far is None:
            means = maps.mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        else:
            of_frames = maps.mean(dim=(3, 4), keepdim=True)  # (B, C, T, 1, 1)
            means = torch.cat([self.so_far(of_frames), of_frames], dim=1)
        return maps * self.gate(self.excite(self.activation(self.squeeze(means))))


class _Block(nn.Module):
    residual_branch = "project"

    def __init__(
        self, c_in: int, c_inner: int, c_out: int, kernel: tuple[int, int, int], *, stride: int, causal: bool
    ) -> None:
        super().__init__()
        self.expand = _Conv(c_in, c_inner, (1, 1, 1), causal=causal)
        self.depthwise = _Conv(c_inner, c_inner, kernel, stride=stride, groups=c_inner, causal=causal)
        self.excitation = _Squeeze(c_inner, causal=causal)
        self.project = _Conv(c_inner, c_out, (1, 1, 1), causal=causal, active=False)
        self.scale = nn.Parameter(torch.zeros(()))
        self.coarser = SameMean() if stride > 1 else nn.Identity()
        same = stride == 1 and c_in == c_out
        self.downsample = nn.Identity() if same else _Conv(c_in, c_out, (1, 1, 1), causal=causal, active=False)

    def forward(self, maps: Tensor) -> Tensor:
        out = self.project(self.excitation(self.depthwise(self.expand(maps))))
        return self.downsample(self.coarser(maps)) + self.scale * out


class _HardSigmoid(nn.Module):
    """``0.2 x + 0.5`` within 0 and 1, as Keras has it; PyTorch's has a slope of 1/6."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return (0.2 * x + 0.5).clamp(0.0, 1.0)


def _norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=1e-3)


def _activation(*, causal: bool) -> nn.Module:
    return nn.Hardswish() if causal else nn.SiLU()
