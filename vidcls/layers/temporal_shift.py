"""A 2D network over the frames of clips -> the same, with some channels shifted by a frame inside its blocks (TSM)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.backbones import Backbone, SmallNet

RESIDUAL_BLOCKS = ("BasicBlock", "Bottleneck", "InvertedResidual", "_Block", "_Pair")
"""Classes of blocks, of torchvision, timm and ours, whose first convolution begins the residual branch."""
SHORTCUT_FLAGS = ("use_res_connect", "has_skip", "has_shortcut", "residual")  # where a block may have no shortcut
DEEP_STAGE = 23  # blocks in a stage from which on every second block is shifted, as in the released code


def shift_in_time(frames: Tensor, num_frames: int, num_channels: int, *, causal: bool = False) -> Tensor:
    """Frames ``(B*T, C, H, W)`` -> the same with some channels of neighbouring frames; zeros beyond the ends of a clip.

    ::

        channels     0 .. n-1    n .. 2n-1    2n .. C-1
        frame t of     t + 1       t - 1          t        both ways: n channels each
                       t - 1         t            t        causal

    Args:
        frames: of clips, one after the other.
        num_frames: T of a clip, beyond which nothing is shifted.
        num_channels: n.
        causal: from the past alone.
    """
    if num_channels == 0:
        return frames
    clips = frames.unflatten(0, (-1, num_frames))  # (B, T, C, H, W)
    if causal:
        parts = [_moved(clips[:, :, :num_channels], 1), clips[:, :, num_channels:]]
    else:
        future, past, rest = clips.tensor_split((num_channels, 2 * num_channels), dim=2)
        parts = [_moved(future, -1), _moved(past, 1), rest]
    return torch.cat(parts, dim=2).flatten(0, 1)


def _moved(clips: Tensor, num_steps: int) -> Tensor:
    """``(B, T, C, H, W)`` one frame later (1) or earlier (-1), with zeros where no frame moved to."""
    if num_steps > 0:
        return F.pad(clips[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
    return F.pad(clips[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))


class ShiftedConv2d(nn.Conv2d):
    """A convolution over frames whose input is shifted in time; its parameters and their names are those of before.

    Attributes:
        num_frames: T of a clip.
        num_shifted: channels that are shifted, in each direction.
        causal: from the past alone.
    """

    num_frames: int
    num_shifted: int
    causal: bool

    def forward(self, frames: Tensor) -> Tensor:
        """``(B*T, C, H, W)`` -> ``(B*T, D, H', W')``."""
        return super().forward(shift_in_time(frames, self.num_frames, self.num_shifted, causal=self.causal))


def insert_shifts(backbone: Backbone, name: str, num_frames: int, *, share: float, causal: bool) -> int:
    """Shift the input of each residual branch in time, in place; returns how many of them are shifted.

    The shortcut keeps what it was (residual shift). A branch with too few channels for one to be shifted stays.

    Args:
        backbone: over frames.
        name: what it is called, for messages.
        num_frames: T of a clip.
        share: of the channels that are shifted in each direction.
        causal: from the past alone.

    Raises:
        ValueError: the backbone has no residual branches that begin with a plain convolution.
    """
    places = list(_branches(backbone))
    if not places:
        raise ValueError(
            f"backbone {name!r} has no residual blocks whose channels could be shifted in time: use a ResNet such as "
            "resnet50 or resnet20, efficientnet_lite0, or small"
        )
    backbone.num_together = num_frames
    num_shifts = 0
    for path in places:
        conv = backbone.get_submodule(path)
        assert isinstance(conv, nn.Conv2d)
        num_channels = int(conv.in_channels * share)
        if num_channels:
            parent, _, child = path.rpartition(".")
            setattr(backbone.get_submodule(parent), child, _shifted(conv, num_frames, num_channels, causal))
            num_shifts += 1
    return num_shifts


def _branches(backbone: Backbone) -> Iterator[str]:
    """The places of the convolutions that residual branches begin with."""
    if isinstance(backbone, SmallNet):  # without shortcuts: each block but the first is shifted as a whole
        yield from (f"stages.{stage}.0" for stage in backbone.stage_names[1:])
        return
    by_stage = {stage: list(_blocks(module, f"stages.{stage}")) for stage, module in backbone.stages.items()}
    every = 2 if max(map(len, by_stage.values())) >= DEEP_STAGE else 1
    for blocks in by_stage.values():
        for path in blocks[::every]:
            block = backbone.get_submodule(path)
            first = next((n for n, m in block.named_modules() if isinstance(m, nn.Conv2d)), None)
            if first is not None and type(block.get_submodule(first)) is nn.Conv2d:
                yield f"{path}.{first}"


def _blocks(module: nn.Module, path: str) -> Iterator[str]:
    """The residual blocks inside a module, in order."""
    if type(module).__name__ in RESIDUAL_BLOCKS:
        if all(getattr(module, flag, True) for flag in SHORTCUT_FLAGS):
            yield path
        return
    for name, child in module.named_children():
        yield from _blocks(child, f"{path}.{name}")


def _shifted(conv: nn.Conv2d, num_frames: int, num_channels: int, causal: bool) -> ShiftedConv2d:
    shifted = ShiftedConv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
        dilation=conv.dilation,  # type: ignore[arg-type]
        groups=conv.groups,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        device="meta",  # its own parameters are never used
    )
    shifted.weight, shifted.bias = conv.weight, conv.bias
    shifted.num_frames, shifted.num_shifted, shifted.causal = num_frames, num_channels, causal
    return shifted
