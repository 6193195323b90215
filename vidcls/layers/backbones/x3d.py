"""X3D: a small 2D network, expanded step by step over time, frame rate, size, width and depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.bottleneck_3d import convolution_3d, initialise_3d
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.squeeze_excitation import SqueezeExcitation3D

Form = Literal["tiny", "xs", "s", "m", "l"]
STEM_CHANNELS = 12  # of X2D, the network that is expanded
BLOCKS = (1, 2, 5, 3)  # of its stages res2 to res5
SQUEEZED = 1 / 16  # of the channels, in squeeze-and-excitation
FC_FEATURES = 2048
CHANNEL_STEP = 8  # widths are multiples of it


@dataclass(frozen=True)
class Expansion:
    """How far X2D is expanded.

    Args:
        num_frames: gamma_t, frames of a clip.
        stride: gamma_tau, frames of the file from one to the next.
        side_px: one side of the frames.
        width: gamma_w, factor on the channels.
        depth: gamma_d, factor on the blocks of a stage.
        bottleneck: gamma_b, factor on the channels inside a block.
        num_features: of the fully connected layer before the classifier.
    """

    num_frames: int
    stride: int
    side_px: int
    width: float = 2.0
    depth: float = 2.2
    bottleneck: float = 2.25
    num_features: int = FC_FEATURES


FORMS: dict[Form, Expansion] = {
    "tiny": Expansion(8, 1, 64, width=1.0, depth=1.0, num_features=128),  # ours, for a CPU
    "xs": Expansion(4, 12, 160),
    "s": Expansion(13, 6, 160),
    "m": Expansion(16, 5, 224),
    "l": Expansion(16, 5, 312, depth=5.0),
}
"""Feichtenhofer 2020, tables 2 and 3, and section 4.1."""


class X3DNet(Backbone):
    """Residual blocks of a 3x3x3 convolution in each channel between two 1x1x1, with squeeze-and-excitation.

    Feichtenhofer: X3D: Expanding Architectures for Efficient Video Recognition, CVPR 2020, table 1. The stem is a
    convolution in space and one over time in each channel. Every other block of a stage, from its first, has
    squeeze-and-excitation, and swish follows the 3x3x3 convolution of all. Time is never made coarser. conv5 widens the
    maps; after their mean a fully connected layer gives 2048 features.

    Args:
        form: ``xs``, ``s``, ``m`` or ``l``, the paper's; ``tiny`` for a CPU.
        in_channels: C of the input.
        zero_init_residual: see :func:`vidcls.layers.bottleneck_3d.initialise_3d`.
    """

    def __init__(self, form: Form = "m", *, in_channels: int = 3, zero_init_residual: bool = False) -> None:
        if form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got {form!r}")
        expansion = FORMS[form]
        channels = rounded(STEM_CHANNELS * expansion.width)
        stages: dict[str, nn.Module] = {"stem": _stem(in_channels, channels)}  # (B, C, T, H/2, W/2)
        inner = channels
        for k, num_blocks in enumerate(BLOCKS):
            c_out = rounded(_unexpanded(k) * expansion.width)
            inner = int(expansion.bottleneck * c_out)
            blocks = []
            for position in range(math.ceil(expansion.depth * num_blocks)):
                stride = 2 if position == 0 else 1
                blocks.append(_Block(channels, inner, c_out, stride=stride, squeezes=position % 2 == 0))
                channels = c_out
            stages[f"res{k + 2}"] = nn.Sequential(*blocks)
        stages["conv5"] = convolution_3d(channels, inner, (1, 1, 1))
        read_out = nn.Sequential(GlobalAverage(), nn.Linear(inner, expansion.num_features, bias=False), nn.ReLU())
        super().__init__(
            stages,
            read_out,
            num_features=expansion.num_features,
            input_px=(expansion.side_px, expansion.side_px),
            input_len=expansion.num_frames,
        )
        self.expansion = expansion
        self.sees_all_frames = True  # by squeeze-and-excitation
        initialise_3d(self, zero_init_residual=zero_init_residual)


class _Block(nn.Module):
    residual_branch = "project"

    def __init__(self, c_in: int, c_inner: int, c_out: int, *, stride: int, squeezes: bool) -> None:
        super().__init__()
        self.expand = convolution_3d(c_in, c_inner, (1, 1, 1))
        self.depthwise = convolution_3d(
            c_inner, c_inner, (3, 3, 3), stride=(1, stride, stride), groups=c_inner, active=False
        )
        squeezed = SqueezeExcitation3D(c_inner, rounded(c_inner * SQUEEZED)) if squeezes else nn.Identity()
        self.excitation = squeezed
        self.swish = nn.SiLU()
        self.project = convolution_3d(c_inner, c_out, (1, 1, 1), active=False)
        self.activation = nn.ReLU()
        shortcut = convolution_3d(c_in, c_out, (1, 1, 1), stride=(1, stride, stride), active=False)
        if c_in == c_out:  # the released networks normalise a shortcut only where its channels change
            shortcut = shortcut[:1]
        self.downsample = nn.Identity() if stride == 1 and c_in == c_out else shortcut

    def forward(self, maps: Tensor) -> Tensor:
        out = self.swish(self.excitation(self.depthwise(self.expand(maps))))
        return self.activation(self.downsample(maps) + self.project(out))


def _stem(c_in: int, width: int) -> nn.Sequential:
    stem = nn.Sequential()
    stem.add_module("space", convolution_3d(c_in, width, (1, 3, 3), stride=(1, 2, 2))[0])
    stem.add_module("time", convolution_3d(width, width, (5, 1, 1), groups=width))
    return stem


def _unexpanded(stage: int) -> int:
    """Channels of X2D: those of the stem, doubled from stage to stage."""
    channels = STEM_CHANNELS
    for _ in range(stage):
        channels = rounded(2 * channels)
    return channels


def rounded(wanted: float) -> int:
    """The nearest multiple of 8, but no more than a tenth below what is wanted."""
    nearest = max(CHANNEL_STEP, int(wanted + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return nearest if nearest >= 0.9 * wanted else nearest + CHANNEL_STEP
