"""Fusions against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidcls.tasks import SingleLabel
from vidcls.training.fusion import fixed_fusions, mean_of_logits

TASK = SingleLabel("abc")
FIXED_FUSIONS = fixed_fusions(TASK)
mean_of_probabilities, product_of_probabilities = TASK.mean_of_probabilities, TASK.product_of_probabilities

SPATIAL = [0.5, 0.25, 0.25]
TEMPORAL = [0.1, 0.6, 0.3]


def parts(*rows: list[float]) -> Tensor:
    """Logits ``(P, 1, K)`` of these probabilities, shifted to show that only their softmax counts."""
    return torch.tensor(rows).log().unsqueeze(1) + torch.arange(len(rows)).view(-1, 1, 1)


def fused(name: str, weights: list[float]) -> list[float]:
    return FIXED_FUSIONS[name](parts(SPATIAL, TEMPORAL), torch.tensor(weights)).softmax(dim=-1)[0].tolist()


def test_the_mean_fusion_is_the_mean_of_probabilities() -> None:
    assert fused("mean", [1, 1]) == pytest.approx([0.3, 0.425, 0.275], abs=1e-6)


def test_the_weighted_fusion_counts_the_temporal_stream_one_and_a_half_times() -> None:
    # (1 * .5 + 1.5 * .1) / 2.5 and so on
    assert fused("weighted", [1, 1.5]) == pytest.approx([0.26, 0.46, 0.28], abs=1e-6)


def test_the_product_fusion_is_the_normalised_geometric_mean() -> None:
    # roots of .05, .15, .075: .2236, .3873, .2739; their sum .8848
    assert fused("product", [1, 1]) == pytest.approx([0.25272, 0.43773, 0.30954], abs=1e-4)


@pytest.mark.parametrize("name", FIXED_FUSIONS)
def test_a_fused_answer_is_a_distribution(name: str) -> None:
    logits = torch.randn(2, 50, 7, generator=torch.Generator().manual_seed(0)) * 20
    probabilities = FIXED_FUSIONS[name](logits, torch.tensor([1.0, 1.5])).softmax(dim=-1)
    assert torch.allclose(probabilities.sum(dim=-1), torch.ones(50))


def test_the_logits_of_the_mean_are_the_logarithms_of_its_probabilities() -> None:
    logits = mean_of_probabilities(parts(SPATIAL, TEMPORAL), torch.ones(2))
    assert float(logits.exp().sum()) == pytest.approx(1.0)


def test_a_stream_that_excludes_a_class_has_a_veto_in_the_product_and_none_in_the_mean() -> None:
    # class 0: one stream is certain of it, the other excludes it; class 1: both find it possible
    logits = parts([0.98, 0.01, 0.01], [1e-9, 0.5, 0.5 - 1e-9])
    even = torch.ones(2)
    assert int(mean_of_probabilities(logits, even).argmax()) == 0
    assert int(product_of_probabilities(logits, even).argmax()) != 0


def test_overconfident_streams_that_each_see_half_of_the_class_are_joined_by_the_product_only() -> None:
    """Four classes = appearance x motion. Each stream is certain of its half, and at random about the other half."""
    # the class is 0; the spatial stream leans to 1 of {0, 1}, the temporal one to 2 of {0, 2}
    logits = parts([0.08, 0.919, 5e-4, 5e-4], [0.08, 5e-4, 0.919, 5e-4])
    even = torch.ones(2)
    assert int(product_of_probabilities(logits, even).argmax()) == 0
    assert int(mean_of_probabilities(logits, even).argmax()) != 0


def test_logits_that_are_very_far_apart_stay_finite() -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0]], [[-1e4, 1e4, 0.0]]])
    for function in FIXED_FUSIONS.values():
        assert torch.isfinite(function(logits, torch.ones(2)).softmax(dim=-1)).all()


def test_a_mean_of_logits_is_a_weighted_mean_of_what_the_parts_say_before_softmax() -> None:
    logits = torch.tensor([[[1.0, 4.0]], [[6.0, -1.0]]])
    assert mean_of_logits(logits, torch.tensor([1.0, 1.5]))[0].tolist() == pytest.approx([4.0, 1.0])  # (1 + 9) / 2.5


def test_before_softmax_mean_and_product_are_one_fusion_and_every_name_is_there() -> None:
    logits = torch.randn(2, 50, 7, generator=torch.Generator().manual_seed(0)) * 5
    fused = {
        name: function(logits, torch.ones(2)).softmax(-1) for name, function in fixed_fusions(TASK, "logits").items()
    }
    assert fused.keys() == FIXED_FUSIONS.keys()
    torch.testing.assert_close(fused["mean"], fused["product"])
