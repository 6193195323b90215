"""SlowFast: two networks over the frames of a clip, one of few frames and many channels, one of all frames and few."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.karpathy import frames_for_one
from vidcls.layers.bottleneck_3d import Bottleneck3D, convolution_3d, initialise_3d

Depth = Literal[14, 26, 50, 101, 152]
BLOCKS: dict[Depth, tuple[int, ...]] = {
    14: (1, 1, 1, 1),  # for a CPU
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Bottlenecks of the stages res2 to res5 (He et al. 2016, table 1)."""
STEM_LENS = (1, 5)  # frames that the first convolutions span: slow, fast
TIME_LENS = ((1, 1, 3, 3), (3, 3, 3, 3))  # and the first of each bottleneck of res2 to res5
INPUT_LEN = 32
EXPANSION = 4
Pair = tuple[Tensor, Tensor]
"""Maps ``(B, C, T/alpha, H, W)`` of the slow pathway and ``(B, beta C, T, H, W)`` of the fast one."""


class SlowFastNet(Backbone):
    """Two ResNets side by side, the fast one joined into the slow one after the stem and each stage but the last.

    Feichtenhofer, Fan, Malik, He: SlowFast Networks for Video Recognition, ICCV 2019, table 1. The slow pathway sees
    every alpha-th frame; its convolutions span time in res4 and res5 alone (degenerate kernels before). The fast one
    sees every frame, has ``beta`` of the channels, and spans time throughout. No stage has a stride in time, so that
    detail in time is kept up to the last maps. The lateral connections are convolutions of ``lateral_len`` x1x1 with a
    stride of alpha in time and twice as many channels as they take, joined along the channels.

    Stages give the maps of both pathways, the slow ones first; the read-out joins their means.

    Args:
        depth: of both ResNets.
        width: channels of the slow stem; 64 in the paper.
        alpha: the slow pathway sees every alpha-th frame, from the first.
        beta: share of the channels that the fast pathway has.
        lateral_len: frames that a lateral connection spans.
        lateral_norm: whether batch normalisation and ReLU follow the lateral convolutions.
        in_channels: C of the input.
        zero_init_residual: see :func:`vidcls.layers.bottleneck_3d.initialise_3d`.

    Raises:
        ValueError: an argument outside its range.
    """

    def __init__(
        self,
        depth: Depth = 50,
        *,
        width: int = 64,
        alpha: int = 4,
        beta: float = 0.125,
        lateral_len: int = 5,
        lateral_norm: bool = True,
        in_channels: int = 3,
        zero_init_residual: bool = False,
    ) -> None:
        if depth not in BLOCKS:
            raise ValueError(f"depth must be one of {', '.join(map(str, BLOCKS))}, got {depth}")
        fast_width = int(width * beta)
        if fast_width < 1 or beta > 1:
            raise ValueError(
                f"beta is the share of the channels of the fast pathway, at most 1, and leaves it at least one: got "
                f"beta {beta} of width {width}"
            )
        if alpha < 1 or lateral_len < 1 or lateral_len % 2 == 0:
            raise ValueError(
                f"alpha must be at least 1 and lateral_len an odd number of frames, got alpha {alpha} and lateral_len "
                f"{lateral_len}"
            )
        how = (alpha, lateral_len, lateral_norm)
        widths = (width, fast_width)
        slow, fast = (_stem(in_channels, widths[k], STEM_LENS[k]) for k in (0, 1))
        stages: dict[str, nn.Module] = {
            "stem": TwoPathways(slow, fast, _lateral(fast_width, *how), every=alpha)  # H/4, W/4
        }
        channels, num_stages = list(widths), len(BLOCKS[depth])
        for k, num_blocks in enumerate(BLOCKS[depth]):
            joined = (channels[0] + 2 * channels[1], channels[1])  # the slow pathway takes the lateral maps, too
            inner = [2**k * each for each in widths]
            slow, fast = (
                _stage(joined[p], inner[p], num_blocks, time_len=TIME_LENS[p][k], stride=1 if k == 0 else 2)
                for p in (0, 1)
            )
            channels = [EXPANSION * each for each in inner]
            lateral = _lateral(channels[1], *how) if k < num_stages - 1 else None
            stages[f"res{k + 2}"] = TwoPathways(slow, fast, lateral)
        super().__init__(stages, MeansJoined(), num_features=sum(channels), input_len=INPUT_LEN)
        self.alpha = alpha
        self.lateral_len = lateral_len
        self.num_blocks = BLOCKS[depth]
        self.num_slow_features = channels[0]
        initialise_3d(self, zero_init_residual=zero_init_residual)

    @property
    def frames_seen(self) -> int:
        """The frames that one unit of the last maps sees: along the path from fast to slow that reaches farthest."""
        slow, fast = ([[STEM_LENS[p]], *([TIME_LENS[p][k]] * n for k, n in enumerate(self.num_blocks))] for p in (0, 1))
        paths = [[(extent, 1) for stage in fast for extent in stage]]  # which never leaves the fast pathway
        for k in range(len(self.num_blocks)):
            before = [(extent, 1) for stage in fast[: k + 1] for extent in stage]
            after = [(extent, 1) for stage in slow[k + 1 :] for extent in stage]
            paths.append([*before, (self.lateral_len, self.alpha), *after])
        return max(frames_for_one([extent for extent, _ in path], [stride for _, stride in path]) for path in paths)


class TwoPathways(nn.Module):
    """A stage of both pathways, and the lateral connection behind it.

    Args:
        slow: of the slow pathway.
        fast: of the fast one.
        lateral: fast maps -> maps that the slow ones are joined by; None after the last stage.
        every: where given, the input is a clip, of which the slow pathway sees one frame in so many.
    """

    def __init__(
        self, slow: nn.Module, fast: nn.Module, lateral: nn.Module | None, *, every: int | None = None
    ) -> None:
        super().__init__()
        self.slow = slow
        self.fast = fast
        self.lateral = lateral
        self.every = every

    def forward(self, maps: Tensor | Pair) -> Pair:
        """A clip ``(B, C, T, H, W)``, or maps of both pathways -> maps of both, the lateral ones behind the slow."""
        if self.every is None:
            slow_in, fast_in = cast(Pair, maps)
        else:
            fast_in = cast(Tensor, maps)
            slow_in = fast_in[:, :, :: self.every]
        slow, fast = self.slow(slow_in), self.fast(fast_in)
        if self.lateral is not None:
            slow = torch.cat([slow, self.lateral(fast)], dim=1)
        return slow, fast


class MeansJoined(nn.Module):
    """The means of the maps of both pathways over all places and times, joined."""

    def forward(self, maps: Pair) -> Tensor:
        """``(B, C, T, H, W)`` and ``(B, D, T', H, W)`` -> ``(B, C + D)``."""
        return torch.cat([pathway.flatten(2).mean(dim=2) for pathway in maps], dim=1)


def _stem(c_in: int, width: int, time_len: int) -> nn.Sequential:
    stem = convolution_3d(c_in, width, (time_len, 7, 7), stride=(1, 2, 2))
    stem.add_module("pool", nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)))
    return stem


def _stage(c_in: int, c_inner: int, num_blocks: int, *, time_len: int, stride: int) -> nn.Sequential:
    c_out = EXPANSION * c_inner
    first = Bottleneck3D(c_in, c_inner, c_out, time_len=time_len, stride=stride)
    others = (Bottleneck3D(c_out, c_inner, c_out, time_len=time_len, stride=1) for _ in range(num_blocks - 1))
    return nn.Sequential(first, *others)


def _lateral(num_channels: int, alpha: int, lateral_len: int, norm: bool) -> nn.Sequential:
    lateral = convolution_3d(num_channels, 2 * num_channels, (lateral_len, 1, 1), stride=(alpha, 1, 1))
    return lateral if norm else lateral[:1]  # which keeps the name conv
