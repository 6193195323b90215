"""Tokens of all frames and places -> one vector, by a learned query."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.descriptors import Shape

MLP_RATIO = 2
POSITION_STD = 0.02


class AttentivePool(nn.Module):
    """One learned query with multi-head cross attention over all tokens, then an MLP, each with a residual and a norm.

    Tokens are first reduced to ``width`` principal components of the training videos' tokens, of variance 1 each, which
    are not trained: :meth:`reduce` is computed once for stored tokens. To each come its changes since the frame before,
    and learned positions in time, in the picture, and by level.

    Args:
        shapes: (T, P, D) of the tokens by level.
        width: features of a token after projection.
        num_heads: of the attention; it divides the width.
    """

    def __init__(self, shapes: Mapping[str, Shape], *, width: int, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"{num_heads} heads do not divide a width of {width}")
        self.levels = tuple(shapes)
        self.num_heads = num_heads
        for number, (_, _, D) in enumerate(shapes.values()):
            self.register_buffer(f"mean{number}", torch.zeros(D))
            self.register_buffer(f"components{number}", torch.zeros(D, width))
        self.project = nn.ModuleList(nn.Linear(2 * width, width) for _ in shapes)
        self.time = nn.ParameterList(nn.Parameter(sines(T, width)) for T, _, _ in shapes.values())
        self.place = nn.ParameterList(nn.Parameter(torch.randn(P, width) * POSITION_STD) for _, P, _ in shapes.values())
        self.query = nn.Parameter(torch.randn(width) * POSITION_STD)
        self.norm_tokens, self.norm_query, self.norm_out = (nn.LayerNorm(width) for _ in range(3))
        self.to_query, self.to_out = nn.Linear(width, width), nn.Linear(width, width)
        self.to_key_value = nn.Linear(width, 2 * width)
        self.mlp = nn.Sequential(nn.Linear(width, MLP_RATIO * width), nn.GELU(), nn.Linear(MLP_RATIO * width, width))

    def set_components(self, level: str, mean: Tensor, components: Tensor) -> None:
        """Set the mean ``(D,)`` and the components ``(D, k)`` of one level, k up to ``width``; the rest are zero."""
        number = self.levels.index(level)
        self.get_buffer(f"mean{number}").copy_(mean)
        self.get_buffer(f"components{number}").zero_()[:, : components.shape[1]] = components

    def reduce(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tokens ``(..., D)`` by level -> their components ``(..., width)``."""
        return {
            level: (tokens[level].float() - self.get_buffer(f"mean{number}")) @ self.get_buffer(f"components{number}")
            for number, level in enumerate(self.levels)
        }

    def forward(self, reduced: Mapping[str, Tensor], keep: Mapping[str, Tensor] | None = None) -> Tensor:
        """Components ``(B, T, P, width)`` by level -> ``(B, width)``; ``keep`` ``(B, T, P)`` bool hides the others."""
        parts = []
        for number, level in enumerate(self.levels):
            x = reduced[level]
            change = torch.cat([torch.zeros_like(x[:, :1]), x.diff(dim=1)], dim=1)
            x = self.project[number](torch.cat([x, change], dim=-1)) + self.time[number][:, None] + self.place[number]
            parts.append(x.flatten(1, 2))  # (B, T * P, width)
        x = self.norm_tokens(torch.cat(parts, dim=1))
        B, _, width = x.shape
        query = self.to_query(self.norm_query(self.query)).expand(B, 1, width)
        key, value = self.to_key_value(x).chunk(2, dim=-1)
        mask = None if keep is None else torch.cat([keep[level].flatten(1) for level in self.levels], dim=1)
        attended = F.scaled_dot_product_attention(
            self._by_head(query),
            self._by_head(key),
            self._by_head(value),
            attn_mask=None if mask is None else mask[:, None, None],
        )  # (B, heads, 1, width / heads)
        y = self.query + self.to_out(attended.transpose(1, 2).flatten(2)[:, 0])
        return y + self.mlp(self.norm_out(y))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def sines(num_places: int, width: int) -> Tensor:
    """Initial positions ``(num_places, width)``: sines and cosines of Vaswani et al., NeurIPS 2017."""
    places = torch.arange(num_places).float()[:, None]
    rates = torch.exp(-math.log(100.0) * torch.arange(0, width, 2).float() / width)
    return torch.stack([(places * rates).sin(), (places * rates).cos()], dim=-1).flatten(1)[:, :width]
