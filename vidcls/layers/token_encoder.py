"""A backbone and clips -> tokens: what its stages say at each time, of the whole picture and of the cells of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.flow.fields import stack_channels
from vidcls.layers.backbones.base import READ_OUT, Backbone
from vidcls.layers.layer_table import run_on_meta
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.snippets import as_frames, split_clips

FRAMES_AT_ONCE = 8  # on a CPU; see docs/performance.md
Output = Tensor | tuple[Any, ...]
"""What a stage gives: maps, a vector, tokens ``(B, N, D)``, or a tuple.

That is tokens, of which the last make up a grid, and its extents; or maps and what is handed on beside them.
"""


class TokenEncoder(nn.Module):
    """Tokens ``(B, T, P, D)`` of each level of a backbone, from one pass of the clips through it.

    A level is a stage of the backbone by name, or ``read_out``, its vector. T counts places in time: the frames of a 2D
    network, its snippets where it takes all fields of one at once, the time steps of all snippets, one after the other,
    of a 3D network. P counts places in the picture: the first is the mean over the whole picture, the others are the
    maps averaged to a grid, row by row. ``read_out``, maps that have one place for the picture that the network was
    made for, and tokens whose grid is not known have the first alone, whatever the size of the picture is.

    A 2D network on two channels takes flow field by field; one on 2F channels takes the F fields of a snippet at once,
    as the temporal stream of a two-stream network does.

    Args:
        backbone: 2D or 3D.
        levels: names of stages, or ``read_out``; nothing behind the deepest is computed.
        grid: rows and columns, P = 1 + rows * columns.
        num_snippets: S; a 3D network sees each snippet alone.
    """

    def __init__(self, backbone: Backbone, levels: Sequence[str], grid: tuple[int, int], num_snippets: int) -> None:
        super().__init__()
        backbone.check_stages(levels, read_out=True)
        if not levels:
            raise ValueError("tokens need at least one level: name a stage of the backbone, or read_out")
        if min(grid) < 1:
            raise ValueError(f"grid must be at least 1x1, got {grid[0]}x{grid[1]}")
        self.backbone = backbone
        self.levels = tuple(levels)
        self.grid = (int(grid[0]), int(grid[1]))
        self.num_snippets = num_snippets
        shapes = backbone.shapes(names=self.levels)
        self._of_one_place = {level for level, shape in shapes.items() if len(shape) > 2 and math.prod(shape[-2:]) == 1}

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Normalised clips ``(B, C, S*T, H, W)`` -> tokens ``(B, T', P, D)`` float32 by level."""
        by_batch = [self._tokens_by_level(some) for some in self._batches(clips)]
        joined = {level: torch.cat([tokens[level] for tokens in by_batch]) for level in self.levels}
        return {level: tokens.unflatten(0, (clips.shape[0], -1)).flatten(1, 2) for level, tokens in joined.items()}

    @property
    def network(self) -> nn.Module:
        """What has the weights."""
        return self.backbone

    def shapes(self, input_shape: Sequence[int]) -> dict[str, tuple[int, int, int]]:
        """(T', P, D) by level for clips ``(C, S*T, H, W)``, without computing anything."""
        found = cast(dict[str, Tensor], run_on_meta(self, (2, *input_shape)))
        return {level: cast(tuple[int, int, int], tuple(tokens.shape[1:])) for level, tokens in found.items()}

    def _batches(self, clips: Tensor) -> Iterator[Tensor]:
        """What goes through the backbone at once: frames, snippets, or snippets whose fields are its channels.

        A processor computes maps that stay in its cache up to twice as fast, and convolutions with few channels in a
        group faster where the channels of a place lie side by side.
        """
        is_3d = self.backbone.input_len is not None
        some_at_once = clips.device.type == "cpu" and not self.training and not torch.is_grad_enabled()
        some_at_once = some_at_once and not torch.compiler.is_exporting()  # a loop over clips would fix their number
        if is_3d or self.backbone.input_shape[0] != clips.shape[1]:
            snippets = split_clips(clips, self.num_snippets)
            fed = snippets if is_3d else stack_channels(snippets)
            yield from fed.split(1 if is_3d else FRAMES_AT_ONCE) if some_at_once else (fed,)
        elif some_at_once:
            yield from _channels_last(clips.transpose(1, 2))
        else:
            yield as_frames(clips)

    def _tokens_by_level(self, x: Tensor) -> dict[str, Tensor]:
        """Frames or snippets, N of them, -> ``(N, T', P, D)`` by level."""
        outputs = cast(list[Output], self.backbone.levels(x, self.levels))
        found: dict[str, Tensor] = {}
        for level, output in zip(self.levels, outputs, strict=True):
            tokens = self._tokens(output, is_vector=level == READ_OUT)
            tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
            found[level] = tokens[:, :, :1] if level in self._of_one_place else tokens
        return found

    def _tokens(self, output: Output, *, is_vector: bool) -> Tensor:
        """What one level gives -> ``(B, T', P, D)``."""
        if not isinstance(output, Tensor):
            first = output[0]
            if first.ndim > 3:  # maps, and what goes beside them
                return self._of_maps(first)
            places = cast(tuple[int, ...], tuple(output[1]))
            patches = first[:, first.shape[1] - math.prod(places) :]  # without a class token
            return self._of_maps(patches.transpose(1, 2).unflatten(2, places))
        if is_vector or output.ndim == 2:
            return output.flatten(1)[:, None, None]
        if output.ndim == 3:  # tokens (B, N, D) of a grid that is not known
            return output.mean(dim=1)[:, None, None]
        return self._of_maps(output)

    def _of_maps(self, maps: Tensor) -> Tensor:
        """``(B, D, H, W)`` or ``(B, D, T', H, W)`` -> ``(B, T', P, D)``."""
        maps = maps[:, :, None] if maps.ndim == 4 else maps
        B, T = maps.shape[0], maps.shape[2]
        frames = as_frames(maps)  # (B*T', D, H, W)
        tokens = frames.flatten(2).mean(dim=2)[:, None]  # (B*T', 1, D)
        cells = F.adaptive_avg_pool2d(frames, self.grid).flatten(2).transpose(1, 2)  # (B*T', gh*gw, D)
        return torch.cat([tokens, cells], dim=1).unflatten(0, (B, T))


def _channels_last(frames: Tensor) -> Iterator[Tensor]:
    """Frames ``(B, T, C, H, W)`` -> batches ``(N, C, H, W)`` of a few of them in order, the channels last in memory."""
    B, T, *shape = frames.shape
    for start in range(0, B * T, FRAMES_AT_ONCE):
        places = range(start, min(start + FRAMES_AT_ONCE, B * T))
        some = torch.empty((len(places), *shape), dtype=frames.dtype, memory_format=torch.channels_last)
        for k, place in enumerate(places):
            some[k] = frames[place // T, place % T]
        yield some


def probe_levels(backbone: Backbone) -> tuple[str, ...]:
    """A level in the middle, which sees smaller things, and the default ones.

    It is the deepest stage with larger maps than the last; where all are alike, as in transformers, that after two
    thirds of the stages.
    """
    names = backbone.stage_names
    shapes = backbone.shapes(names=names)
    num_places = {name: math.prod(shape[-2:]) for name, shape in shapes.items() if len(shape) > 2}  # of maps
    last = num_places.get(names[-1])
    larger = [name for name, num in num_places.items() if last is not None and 1 < last < num]
    middle = larger[-1] if larger else names[(2 * len(names)) // 3 - 1] if len(names) > 2 else None
    return tuple(dict.fromkeys([*([middle] if middle else []), *default_levels(backbone)]))


def default_levels(backbone: Backbone) -> tuple[str, ...]:
    """The last stage; and the read-out where its vector is not the mean of the last maps, which the tokens have."""
    last = backbone.stage_names[-1]
    if isinstance(backbone.read_out, GlobalAverage):
        return (last,)
    device = next((weight.device for weight in backbone.parameters()), torch.device("cpu"))
    if device.type == "meta":  # nothing can be computed, and nothing hangs on it
        return (last, READ_OUT)
    given = _drawn(_read_out_input(backbone), torch.Generator().manual_seed(0), device)
    drawn = cast(Tensor, given if isinstance(given, Tensor) else given[0]).cpu()  # type: ignore[index]
    modes = {module: module.training for module in backbone.modules()}
    backbone.eval()
    try:
        with torch.inference_mode():
            vector = backbone.read_out(given).cpu()
    finally:
        for module, mode in modes.items():
            module.training = mode
    mean = drawn.mean(dim=1) if drawn.ndim == 3 else drawn.flatten(2).mean(dim=2)
    is_mean = vector.shape == mean.shape and torch.allclose(vector.float(), mean, rtol=1e-4, atol=1e-5)
    return (last,) if is_mean else (last, READ_OUT)


def _drawn(output: object, generator: torch.Generator, device: torch.device) -> object:
    """The same with random values in its tensors."""
    if isinstance(output, Tensor):
        return torch.rand(tuple(output.shape), generator=generator).to(device)
    return tuple(_drawn(part, generator, device) for part in output) if isinstance(output, tuple) else output


def _read_out_input(backbone: Backbone) -> object:
    """What the read-out is given, of inputs of the size that the network was made for; tensors without values."""
    given: list[object] = []
    hook = backbone.read_out.register_forward_pre_hook(lambda _module, arguments: given.append(arguments[0]))
    try:
        backbone.shapes(names=[READ_OUT])
    finally:
        hook.remove()
    return given[0]
