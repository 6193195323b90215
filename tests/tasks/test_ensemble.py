"""Scores of several models for one video: mean and geometric mean, worked out by hand, for one class and several."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vidcls.tasks import TASKS, SingleLabel
from vidcls.tasks.ensemble import Ensemble


class AnyNumber(SingleLabel):
    """Each class by itself, as far as scores go."""

    name = "any_number"
    has_one_class = False

    def array_probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        return (1 / (1 + np.exp(-logits))).astype(np.float32)


def test_mean_and_product_of_one_class() -> None:
    scores = np.array([[0.8, 0.2], [0.2, 0.8]])
    both = {"names": ("x", "y"), "class_names": ("a", "b"), "task_name": "single_label"}
    mean = Ensemble(rule="mean", weights=(3.0, 1.0), **both)  # type: ignore[arg-type]
    assert mean.combined(scores) == pytest.approx([0.65, 0.35])
    product = Ensemble(rule="product", weights=(2.0, 1.0), **both)  # type: ignore[arg-type]
    a, b = 0.8 ** (2 / 3) * 0.2 ** (1 / 3), 0.2 ** (2 / 3) * 0.8 ** (1 / 3)
    assert product.combined(scores) == pytest.approx([a / (a + b), b / (a + b)], abs=1e-6)
    assert np.isfinite(product.combined(np.array([[1.0, 0.0], [0.0, 1.0]]))).all()
    assert Ensemble.from_dict(product.to_dict()) == product


def test_of_several_classes_each_is_multiplied_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, AnyNumber.name, AnyNumber)
    product = Ensemble(("x", "y"), ("a", "b"), "product", (1.0, 1.0), AnyNumber.name)
    found = product.combined(np.array([[0.9, 0.5], [0.5, 0.5]]))
    odds = np.sqrt(0.9 / 0.1)  # a geometric mean of the odds
    assert found == pytest.approx([odds / (1 + odds), 0.5], abs=1e-6)


@pytest.mark.parametrize("weights", [(1.0,), (-1.0, 2.0), (0.0, 0.0), (float("nan"), 1.0)])
def test_weights_that_give_no_answer_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weight"):
        Ensemble(("x", "y"), ("a", "b"), "mean", weights, "single_label")
