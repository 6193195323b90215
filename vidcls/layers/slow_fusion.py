"""A 2D backbone -> the same over clips, with a temporal extent that grows through its first stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers.backbones import Backbone, build_backbone
from vidcls.layers.backbones.karpathy import Karpathy, frames_for_one
from vidcls.layers.read_outs import OverTime
from vidcls.layers.settings import LayerSettings
from vidcls.layers.snippets import as_clip, as_frames
from vidcls.layers.stems import inflate_stem


def slow_fusion_backbone(
    name: str,
    extents: Sequence[int],
    strides: Sequence[int],
    *,
    weights: str | None = None,
    layers: LayerSettings | None = None,
    num_towers: int = 1,
    last_pool: bool = True,
) -> Backbone:
    """A backbone over clips ``(B, 3, T, H, W)`` whose first stages see ``extents`` frames every ``strides``.

    ``karpathy`` gets convolutions in space and time, as in the paper. In any other network the first convolution is
    inflated over windows of ``extents[0]`` frames, and a convolution in time stands before each further stage; it
    starts as the mean over its extent, so that given weights see what they know.

    Args:
        name: of a 2D backbone.
        extents: frames (then responses) that each of the first stages spans.
        strides: steps of the same.
        weights: see :func:`build_backbone`.
        layers: see :func:`build_backbone`.
        num_towers: see :class:`Backbone`.
        last_pool: of ``karpathy``.

    Raises:
        ValueError: extents and strides do not fit each other or the network.
    """
    if not extents or len(extents) != len(strides) or min(*extents, *strides) < 1:
        raise ValueError(
            f"extents and strides need an entry from 1 for each of the first stages, got {[*extents]}, {[*strides]}"
        )
    if name == "karpathy":
        if weights is not None:
            raise ValueError(f"weights={weights!r}: there are none for the slow fusion of 'karpathy': remove it")
        return Karpathy(extents=extents, strides=strides, layers=layers, num_towers=num_towers, last_pool=last_pool)
    flat = build_backbone(name, weights=weights, layers=layers, num_towers=num_towers)
    if flat.has_other_tokens:
        raise ValueError(
            f"backbone {name!r} has a class token beside its maps, so that they cannot be joined from stage to stage: "
            "use another"
        )
    if len(extents) > len(flat.stages):
        raise ValueError(f"extents has {len(extents)} entries, backbone {name!r} has {len(flat.stages)} stages")
    channels = flat.channels(flat.stage_names)
    inflate_stem(flat, extents[0], keep_weights=weights is not None)
    stages: dict[str, nn.Module] = {}
    for k, (stage_name, stage) in enumerate(flat.stages.items()):
        if k == 0:
            stages[stage_name] = nn.Sequential(StackFrames(extents[0], strides[0]), PerFrame(stage))
        elif k < len(extents) and (extents[k], strides[k]) != (1, 1):
            mix = _mean_over_time(channels[k - 1], extents[k], strides[k])
            stages[stage_name] = nn.Sequential(mix, PerFrame(stage))
        else:
            stages[stage_name] = PerFrame(stage)
    slow = Backbone(
        stages,
        OverTime(flat.read_out),
        num_features=flat.num_features,
        input_px=flat.input_px,
        input_len=frames_for_one(extents, strides),
        in_channels=3,
    )
    slow.travelling = flat.travelling
    return slow


class StackFrames(nn.Module):
    """Windows of neighbouring frames as channels: ``(B, C, T, H, W)`` -> ``(B, num_frames*C, T', H, W)``.

    Args:
        num_frames: frames in a window.
        stride: frames from one window to the next.
    """

    def __init__(self, num_frames: int, stride: int) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.stride = stride

    def forward(self, clip: Tensor) -> Tensor:
        """Stack; frames that no whole window covers are left out.

        Raises:
            ConfigurationError: the clip is shorter than a window.
        """
        if clip.shape[2] < self.num_frames:
            raise ConfigurationError(f"a window takes {self.num_frames} frames, got {clip.shape[2]}: raise clip_len")
        windows = clip.unfold(2, self.num_frames, self.stride)  # (B, C, T', H, W, num_frames)
        return windows.permute(0, 5, 1, 2, 3, 4).flatten(1, 2)


class PerFrame(nn.Module):
    """A 2D module on each response in time: ``(B, C, T, H, W)`` -> ``(B, C', T, H', W')``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, clip: Tensor) -> Tensor:
        """Apply, with time among the batch."""
        return as_clip(self.module(as_frames(clip)), clip.shape[2])


def _mean_over_time(num_channels: int, extent: int, stride: int) -> nn.Conv3d:
    mix = nn.Conv3d(num_channels, num_channels, (extent, 1, 1), stride=(stride, 1, 1))
    with torch.no_grad():
        mix.weight.copy_(torch.eye(num_channels)[:, :, None, None, None].expand_as(mix.weight) / extent)
        assert mix.bias is not None
        mix.bias.zero_()
    return mix
