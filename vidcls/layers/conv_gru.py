"""A sequence of feature maps -> the hidden maps of a convolutional gated recurrent unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvGru(nn.Module):
    """GRU-RCN: a gated recurrent unit whose products are convolutions (``*``, same padding) and whose states are maps.

    ::

        z_t = sigmoid(W_z * x_t + U_z * h_{t-1})                      update: 1 takes the candidate
        r_t = sigmoid(W_r * x_t + U_r * h_{t-1})                      reset
        c_t = tanh(W * x_t + U * (r_t . h_{t-1}))                     candidate
        h_t = (1 - z_t) . h_{t-1} + z_t . c_t                         h_0 = 0

    Ballas, Yao, Pal, Courville: Delving Deeper into Convolutional Networks for Learning Video Representations, ICLR
    2016, section 3. There is no bias, as in the paper's equations. In the stacked form ``x_t`` is joined by the hidden
    map of the level below at the same step, which gives each gate a further convolution of that map.

    Args:
        in_channels: C of the maps, with those of the level below where stacked.
        hidden_channels: D of the hidden maps.
        kernel_px: side of all kernels; 3 in the paper, 1 on vectors, where a convolution is a matrix product.
    """

    def __init__(self, in_channels: int, hidden_channels: int, *, kernel_px: int = 3) -> None:
        super().__init__()
        same = kernel_px // 2
        self.hidden_channels = hidden_channels
        self.from_input = nn.Conv2d(in_channels, 3 * hidden_channels, kernel_px, padding=same, bias=False)  # W_z W_r W
        self.to_gates = nn.Conv2d(hidden_channels, 2 * hidden_channels, kernel_px, padding=same, bias=False)  # U_z U_r
        self.to_candidate = nn.Conv2d(hidden_channels, hidden_channels, kernel_px, padding=same, bias=False)  # U

    def forward(self, maps: Tensor) -> Tensor:
        """Maps ``(B, T, C, H, W)`` -> hidden maps of every step ``(B, T, D, H, W)``."""
        B, T, _, H, W = maps.shape
        from_input = self.from_input(maps.flatten(0, 1)).unflatten(0, (B, T))  # (B, T, 3D, H, W)
        hidden = from_input.new_zeros(B, self.hidden_channels, H, W)
        states: list[Tensor] = []
        for t in range(T):
            x_update, x_reset, x_candidate = from_input[:, t].chunk(3, dim=1)
            h_update, h_reset = self.to_gates(hidden).chunk(2, dim=1)
            update = torch.sigmoid(x_update + h_update)
            reset = torch.sigmoid(x_reset + h_reset)
            candidate = torch.tanh(x_candidate + self.to_candidate(reset * hidden))
            hidden = (1 - update) * hidden + update * candidate
            states.append(hidden)
        return torch.stack(states, dim=1)
