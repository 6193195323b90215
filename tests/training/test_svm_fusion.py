"""The support vector machine that fuses scores, against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC
from torch import Tensor

from vidcls.tasks import SingleLabel
from vidcls.training.svm_fusion import SvmFusion, stacked_scores


def classes(num_classes: int) -> SingleLabel:
    return SingleLabel([f"class {k}" for k in range(num_classes)])


def separable(num_classes: int, present: list[int]) -> tuple[Tensor, Tensor]:
    """Probabilities ``(2, N, K)`` of two streams that mostly find the class, and the labels ``(N,)``."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor(present).repeat(12)
    logits = torch.randn(2, len(labels), num_classes, generator=generator)
    logits[:, torch.arange(len(labels)), labels] += 5
    return logits.softmax(dim=-1), labels


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_its_decision_values_are_those_of_scikit_learn(num_classes: int) -> None:
    probabilities, labels = separable(num_classes, list(range(num_classes)))
    svm = SvmFusion(2, classes(num_classes))
    svm.fit(probabilities, labels)
    features = stacked_scores(probabilities).numpy()
    expected = LinearSVC(C=1.0, random_state=0).fit(features, labels.numpy()).decision_function(features)
    found = svm(probabilities.log()).numpy()
    if num_classes == 2:  # scikit-learn gives the second class' value alone
        np.testing.assert_allclose(found[:, 1], expected, atol=1e-4)
        np.testing.assert_allclose(found[:, 0], -expected, atol=1e-4)
    else:
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (torch.from_numpy(found).argmax(dim=1) == labels).all()


@pytest.mark.parametrize("present", [[0, 2, 3], [1, 3]])
def test_a_class_without_training_videos_is_never_the_answer(present: list[int]) -> None:
    probabilities, labels = separable(4, present)
    svm = SvmFusion(2, classes(4))
    svm.fit(probabilities, labels)
    assert (svm(probabilities.log()).argmax(dim=1) == labels).all()
    noise = torch.randn(2, 200, 4, generator=torch.Generator().manual_seed(1)) * 9
    assert set(svm(noise).argmax(dim=1).tolist()) <= set(present)


def test_the_scores_of_each_part_have_unit_length_side_by_side() -> None:
    probabilities = torch.tensor([[[0.6, 0.8 - 0.4]], [[1.0, 0.0]]])
    features = stacked_scores(probabilities)
    assert features.shape == (1, 4)
    assert features[0].tolist() == pytest.approx([0.6 / 0.52**0.5, 0.4 / 0.52**0.5, 1.0, 0.0])


def test_what_was_fitted_travels_with_the_state() -> None:
    probabilities, labels = separable(3, [0, 1, 2])
    fitted, other = SvmFusion(2, classes(3)), SvmFusion(2, classes(3))
    assert not bool(fitted.is_fitted)
    fitted.fit(probabilities, labels)
    other.load_state_dict(fitted.state_dict())
    assert bool(other.is_fitted)
    assert other.answers
    assert torch.equal(other(probabilities.log()), fitted(probabilities.log()))


def test_what_was_fitted_can_be_forgotten() -> None:
    fitted = SvmFusion(2, classes(3))
    fitted.fit(*separable(3, [0, 1, 2]))
    fitted.forget()
    assert not fitted.answers
    other = SvmFusion(2, classes(3))
    other.fit(*separable(3, [0, 1, 2]))
    other.load_state_dict(fitted.state_dict())
    assert not other.answers
