"""The weighted cross entropy against its formula and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from vidcls.tasks.losses import weighted_binary_cross_entropy, weighted_cross_entropy


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


def test_the_focal_loss_of_one_class_for_each_clip_weighs_each_term_by_what_is_missing_to_certainty() -> None:
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 2, 0, 1])
    weights = torch.tensor([0.5, 2.0, 3.0])
    p = logits.softmax(dim=1)[torch.arange(6), labels]
    expected = (-weights[labels] * (1 - p) ** 2 * p.log()).sum() / weights[labels].sum()
    for targets in (labels, F.one_hot(labels).float()):
        torch.testing.assert_close(weighted_cross_entropy(logits, targets, weights, focal_gamma=2.0), expected)
    nearly = weighted_cross_entropy(logits, labels, weights, label_smoothing=0.2, focal_gamma=1e-9)
    torch.testing.assert_close(nearly, weighted_cross_entropy(logits, labels, weights, label_smoothing=0.2))


def test_the_binary_loss_is_torchs_with_weights_of_positives_and_its_focal_form_torchvisions() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, targets = 4 * torch.randn(5, 3, generator=generator), torch.randint(2, (5, 3), generator=generator).float()
    weights = torch.tensor([0.5, 2.0, 3.0])
    torch.testing.assert_close(
        weighted_binary_cross_entropy(logits, targets, weights, label_smoothing=0.2),
        F.binary_cross_entropy_with_logits(logits, 0.8 * targets + 0.1, pos_weight=weights),
    )
    ones, alpha = torch.ones(3), 0.25
    focal = weighted_binary_cross_entropy(logits, targets, ones, focal_gamma=2.0)
    torch.testing.assert_close(focal, sigmoid_focal_loss(logits, targets, alpha=-1, gamma=2.0, reduction="mean"))
    as_weight = weighted_binary_cross_entropy(logits, targets, ones * alpha / (1 - alpha), focal_gamma=2.0)
    theirs = sigmoid_focal_loss(logits, targets, alpha=alpha, gamma=2.0, reduction="mean")
    torch.testing.assert_close((1 - alpha) * as_weight, theirs)
    far = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    weighted_binary_cross_entropy(far, torch.tensor([[0.0, 1.0, 1.0]]), ones, focal_gamma=2.0).backward()
    assert bool(far.grad.isfinite().all())  # type: ignore[union-attr]
