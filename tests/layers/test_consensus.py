"""The consensus of snippets on numbers worked out by hand."""

from __future__ import annotations

import torch

from vidcls.layers.consensus import SegmentConsensus

LOGITS = torch.tensor([[0.0, 3.0], [2.0, 1.0], [10.0, 0.0], [20.0, 4.0]])  # two videos of two snippets


def test_mean_and_maximum() -> None:
    assert SegmentConsensus("mean", 2)(LOGITS).tolist() == [[1.0, 2.0], [15.0, 2.0]]
    assert SegmentConsensus("max", 2)(LOGITS).tolist() == [[2.0, 3.0], [20.0, 4.0]]


def test_the_weights_start_as_the_mean_and_are_trained() -> None:
    weighted = SegmentConsensus("weighted", 2)
    assert weighted(LOGITS).tolist() == [[1.0, 2.0], [15.0, 2.0]]
    with torch.no_grad():
        weighted.weights.copy_(torch.tensor([[0.25], [0.75]]))
    out = weighted(LOGITS)
    assert out.tolist() == [[1.5, 1.5], [17.5, 3.0]]
    out.sum().backward()
    assert weighted.weights.grad is not None
    assert weighted.weights.grad.flatten().tolist() == [
        13.0,
        27.0,
    ]  # sums over first, second snippets
