"""Logits of the snippets of a video -> its logits."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Consensus = Literal["mean", "max", "weighted"]


class SegmentConsensus(nn.Module):
    """The segmental consensus: the mean, the maximum, or a weighted mean of the logits of S snippets.

    Wang et al.: Temporal Segment Networks, ECCV 2016, section 3.1, on class scores before softmax. The weights of
    ``weighted`` are trained and start evenly.

    Args:
        consensus: which of them.
        num_snippets: S.
    """

    def __init__(self, consensus: Consensus, num_snippets: int) -> None:
        super().__init__()
        self.consensus: Consensus = consensus
        self.num_snippets = num_snippets
        if consensus == "weighted":
            self.weights = nn.Parameter(torch.full((num_snippets, 1), 1 / num_snippets))

    def forward(self, logits: Tensor) -> Tensor:
        """``(B*S, K)`` -> ``(B, K)``."""
        by_snippet = logits.unflatten(0, (-1, self.num_snippets))  # (B, S, K)
        if self.consensus == "max":
            return torch.amax(by_snippet, dim=1)
        return (by_snippet * self.weights).sum(dim=1) if self.consensus == "weighted" else by_snippet.mean(dim=1)
