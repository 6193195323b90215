"""Tokens of one view of a video -> one vector: how features are pooled over time and places.

Tokens are ``(B, T, P, D)``: T places in time, P places in the picture, of which number 0 is the mean over the whole
picture and the rest a grid, row by row. A descriptor is a list of *blocks*, each one way of pooling time over one set
of places; a block is ``(B, F)``, and the descriptor all of them side by side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

Places = Literal["whole", "grid", "both"]
Scale = Literal["none", "sqrt", "unit"]
SMALL = 1e-6
Shape = tuple[int, int, int]  # T, P, D

END_FRAMES = 3  # at each end, in "ends"; fewer where T < 6


@dataclass(frozen=True)
class Block:
    """One way of pooling the tokens of one level.

    Args:
        level: whose tokens.
        part: how time is pooled: a name of :data:`TIME_PARTS`, or ``segments`` and a number.
        place: ``whole`` for token 0, ``grid`` for the others.
        scale: ``none``; ``sqrt`` for signed square roots (Perronnin et al.: Improving the Fisher kernel for
            large-scale image classification, ECCV 2010); ``unit`` for vectors of length 1 at each place.
    """

    level: str
    part: str
    place: Literal["whole", "grid"]
    scale: Scale = "none"

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens ``(B, T, P, D)`` -> ``(B, F)`` float32."""
        tokens = tokens[:, :, :1] if self.place == "whole" else tokens[:, :, 1:]
        tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
        pooled = _time_part(self.part)(tokens)  # (B, S, P, D)
        if self.scale == "sqrt":
            pooled = pooled * (pooled.abs() + SMALL).rsqrt()  # the slope of a root is infinite at 0
        elif self.scale == "unit":
            pooled = F.normalize(pooled, dim=-1)
        return pooled.flatten(1)

    def num_features(self, shape: Shape) -> int:
        """F, of tokens of that shape."""
        _, P, D = shape
        return num_rows(self.part) * (1 if self.place == "whole" else P - 1) * D


def blocks_of(
    shapes: Mapping[str, Shape], levels: Sequence[str], descriptor: str, places: Places, scale: Scale = "none"
) -> tuple[Block, ...]:
    """The blocks of a descriptor such as ``mean+absdiff+ends``, in the order in which they stand side by side.

    A level without a grid (P = 1) always gives its whole picture.

    Raises:
        ValueError: an unknown level, part, set of places or scale.
    """
    for word, allowed in ((places, get_args(Places)), (scale, get_args(Scale))):
        if word not in allowed:
            raise ValueError(f"{word!r} is none of {', '.join(allowed)}")
    if not levels:
        raise ValueError("a descriptor needs at least one level")
    if not isinstance(descriptor, str):
        raise ValueError(f"a descriptor is given as {descriptor!r}; expected names joined by +")
    parts = descriptor.split("+")
    for what, names in (("level", levels), ("way of pooling time", parts)):
        if len(set(names)) < len(names):
            raise ValueError(f"a descriptor has the same {what} more than once: name each once")
    for part in parts:
        _time_part(part)
    found = []
    for level in levels:
        if level not in shapes:
            raise ValueError(f"there is no level {level!r}: expected one of {', '.join(shapes)}")
        has_grid = shapes[level][1] > 1
        wanted = {"whole": ["whole"], "grid": ["grid"], "both": ["whole", "grid"]}[places] if has_grid else ["whole"]
        found += [Block(level, part, place, scale) for part in parts for place in wanted]  # type: ignore[arg-type]
    return tuple(found)


def describe(tokens: Mapping[str, Tensor], blocks: Sequence[Block]) -> Tensor:
    """Tokens ``(B, T, P, D)`` by level -> the blocks side by side ``(B, F)`` float32."""
    return torch.cat([block(tokens[block.level]) for block in blocks], dim=1)


def num_rows(part: str) -> int:
    """S: how many vectors a way of pooling time gives at each place."""
    segments = _SEGMENTS.fullmatch(part)
    return int(segments[1]) if segments else 1


def _mean(tokens: Tensor) -> Tensor:
    return tokens.mean(dim=1, keepdim=True)


def _std(tokens: Tensor) -> Tensor:
    return tokens.std(dim=1, keepdim=True, correction=0)


def _max(tokens: Tensor) -> Tensor:
    return tokens.amax(dim=1, keepdim=True)


def _absdiff(tokens: Tensor) -> Tensor:
    if tokens.shape[1] < 2:
        return torch.zeros_like(tokens)
    return tokens.diff(dim=1).abs().mean(dim=1, keepdim=True)


def _ends(tokens: Tensor) -> Tensor:
    num = max(1, min(END_FRAMES, tokens.shape[1] // 2))
    return (tokens[:, -num:].mean(dim=1) - tokens[:, :num].mean(dim=1))[:, None]


def _last(tokens: Tensor) -> Tensor:
    num = max(1, min(END_FRAMES, tokens.shape[1] // 2))
    return tokens[:, -num:].mean(dim=1, keepdim=True)


def _bend(tokens: Tensor) -> Tensor:
    """The middle third minus the mean of the outer thirds: what comes and goes again."""
    first, middle, last = _segments(tokens, 3).unbind(dim=1)
    return (middle - (first + last) / 2)[:, None]


def _segments(tokens: Tensor, num: int) -> Tensor:
    T = tokens.shape[1]
    starts = [k * T // num for k in range(num)]
    stops = [max((k + 1) * T // num, start + 1) for k, start in enumerate(starts)]  # a frame stands in several, if few
    return torch.stack([tokens[:, a:b].mean(dim=1) for a, b in zip(starts, stops, strict=True)], dim=1)


TIME_PARTS: dict[str, Callable[[Tensor], Tensor]] = {  # tokens (B, T, P, D) -> (B, 1, P, D)
    "mean": _mean,  # over time
    "std": _std,  # over time
    "max": _max,  # over time
    "absdiff": _absdiff,  # mean absolute difference of neighbours in time
    "ends": _ends,  # mean of the last 3 minus mean of the first 3
    "last": _last,  # mean of the last 3
    "bend": _bend,
}
_SEGMENTS = re.compile(r"segments([1-9]\d?)")  # means of as many equal parts, in order


def _time_part(name: str) -> Callable[[Tensor], Tensor]:
    if segments := _SEGMENTS.fullmatch(name):
        num = int(segments[1])
        return lambda tokens: _segments(tokens, num)
    if name not in TIME_PARTS:
        raise ValueError(
            f"there is no way {name!r} of pooling time: expected {', '.join(TIME_PARTS)} or segments2, segments3, ..., "
            "joined by +"
        )
    return TIME_PARTS[name]
