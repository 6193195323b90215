"""Loss settings against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from vidcls.training.losses import LossSettings, balanced_weights, weighted_cross_entropy, weights_by_name


def test_balanced_weights_are_inverse_to_the_counts_with_a_mean_of_one_over_videos() -> None:
    counts = [8, 2, 0, 2]
    weights = balanced_weights(counts)
    # 12 videos of 3 classes: 4 in the mean, so 4/8, 4/2, 4/2
    assert weights.tolist() == [0.5, 2.0, 0.0, 2.0]
    assert sum(w * n for w, n in zip(weights.tolist(), counts, strict=True)) == sum(counts)


def test_class_weights_go_by_name_and_default_to_one() -> None:
    settings = LossSettings(class_weights={"run": 3.0})
    assert weights_by_name(["jump", "run", "walk"], settings).tolist() == [1.0, 3.0, 1.0]


def test_a_weight_of_an_unknown_class_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="'rum', which is no class: use jump, run"):
        weights_by_name(["jump", "run"], LossSettings(class_weights={"rum": 3.0}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing must lie in 0 to 1"),
        ({"label_smoothing": -0.1}, "label_smoothing must lie in 0 to 1"),
        ({"balanced": True, "class_weights": {"a": 1.0}}, "exclude each other"),
        ({"class_weights": {"a": -1.0}}, "must be finite and at least 0, got -1.0 for 'a'"),
        ({"class_weights": {"a": math.nan}}, "must be finite and at least 0, got nan for 'a'"),
    ],
)
def test_settings_out_of_range_or_against_each_other_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LossSettings(**changes)


def test_torchs_label_smoothing_is_the_formula_of_the_docstring() -> None:
    """The share is spread evenly over all classes, the right one included."""
    logits, smoothing = torch.tensor([[2.0, 0.0, -1.0]]), 0.3
    log_p = logits.log_softmax(dim=-1)[0]
    expected = -(0.7 * log_p[0] + 0.1 * log_p.sum())
    assert float(F.cross_entropy(logits, torch.tensor([0]), label_smoothing=smoothing)) == pytest.approx(
        float(expected)
    )


def test_hard_labels_have_torchs_weighted_mean_with_and_without_smoothing() -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 2, 0, 1])
    for weights in (torch.ones(3), torch.tensor([0.5, 2.0, 3.0]), torch.tensor([0.0, 2.0, 3.0])):
        for smoothing in (0.0, 0.2):
            expected = F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing, reduction="mean")
            found = weighted_cross_entropy(logits, labels, weights, label_smoothing=smoothing)
            assert float(found) == pytest.approx(float(expected), rel=1e-6)
            one_hot = F.one_hot(labels, 3).float()
            mixed = weighted_cross_entropy(logits, one_hot, weights, label_smoothing=smoothing)
            assert float(mixed) == pytest.approx(float(expected), rel=1e-6)


def test_mixed_labels_are_divided_by_the_weight_of_what_is_mixed() -> None:
    # log-probabilities of the two clips: (log 1/2, log 1/4, log 1/4) and (log 1/4, log 1/4, log 1/2)
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]).log()
    targets = torch.tensor([[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]])
    weights = torch.tensor([1.0, 2.0, 4.0])
    # in units of log 2: .75*1*1 + .25*2*2 = 1.75, and .5*2*2 + .5*4*1 = 4; weights .75 + .5 + 1 + 2 = 4.25
    expected = (1.75 + 4) / 4.25 * math.log(2)
    assert float(weighted_cross_entropy(logits, targets, weights)) == pytest.approx(expected)
    # smoothed by .3: each target is .7 of itself and .1 everywhere; what it is divided by stays
    spread = 0.1 * (1 * 1 + 2 * 2 + 4 * 2 + 1 * 2 + 2 * 2 + 4 * 1)
    smoothed = (0.7 * (1.75 + 4) + spread) / 4.25 * math.log(2)
    assert float(weighted_cross_entropy(logits, targets, weights, label_smoothing=0.3)) == pytest.approx(smoothed)


def test_a_common_factor_of_all_weights_changes_nothing() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    mixed = torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4]])
    for targets in (torch.tensor([0, 1, 2, 1]), mixed):
        plain = F.cross_entropy(logits, targets)
        for factor in (1.0, 2.0, 0.125):
            found = weighted_cross_entropy(logits, targets, torch.full((3,), factor))
            assert float(found) == pytest.approx(float(plain), rel=1e-6)


def test_a_batch_of_classes_that_weigh_nothing_has_no_loss_and_no_gradient() -> None:
    weights = torch.tensor([0.0, 1.0])
    for targets in (torch.tensor([0, 0]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])):
        logits = torch.randn(2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = weighted_cross_entropy(logits, targets, weights)
        loss.backward()
        assert float(loss.detach()) == 0.0
        assert logits.grad is not None
        assert not logits.grad.any()
