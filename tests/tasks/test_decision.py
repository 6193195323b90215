"""What was chosen on validation: written and read, and what it does to probabilities."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
import torch

from vidcls.tasks import SingleLabel
from vidcls.tasks.decision import Decision, tempered

TASK = SingleLabel(("a", "b", "c"))


def random_logits(*shape: int) -> torch.Tensor:
    return 4 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_probabilities_at_a_temperature_are_those_of_the_logits_divided_by_it() -> None:
    logits = random_logits(50, 3)
    for temperature in (0.3, 1.0, 2.5):
        found = tempered(logits.softmax(dim=-1).numpy(), temperature, TASK)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (logits / temperature).softmax(dim=-1).numpy(), atol=2e-6)
        assert (found.argmax(axis=1) == logits.argmax(dim=1).numpy()).all()


def test_each_class_has_a_temperature_of_its_own_where_a_video_may_have_several() -> None:
    class Several(SingleLabel):
        has_one_class = False

    logits = random_logits(50, 3)
    found = tempered(logits.sigmoid().numpy(), 2.5, Several(("a", "b", "c")))
    np.testing.assert_allclose(found, (logits / 2.5).sigmoid().numpy(), atol=2e-5)
    edge = np.array([0.0, 1.0, 0.5], dtype=np.float32)
    assert tempered(edge, 2.5, Several(("a", "b", "c"))).tolist() == [0.0, 1.0, 0.5]


def test_a_certain_answer_stays_certain_and_a_row_without_a_temperature_is_not_touched() -> None:
    certain, half = np.array([0.0, 1.0, 0.0], dtype=np.float32), np.array([0.5, 0.25, 0.25], dtype=np.float32)
    found = Decision({"model": 3.0}).applied({"model": certain, "mean": half}, TASK)
    assert found["model"].tolist() == [0, 1, 0]
    assert found["mean"] is half


def test_a_decision_is_read_back_as_it_was_written() -> None:
    decision = Decision({"model": 1.5, "spatial": 0.7}, 0.4, "max_probability", (0.5, 0.2, 0.9), 40)
    assert Decision.from_dict(json.loads(json.dumps(decision.to_dict()))) == decision
    assert Decision.from_dict(None) == Decision()  # of a file from before there were decisions


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ([], "decision is list"),
        ({"temperature": {"model": 0}}, "the temperature of 'model' is 0; it must be above 0"),
        ({"temperature": {"model": float("nan")}}, "must be above 0"),
        ({"temperature": 2}, "temperatures by row"),
        ({"unknown_below": "low"}, "unknown_below is 'low'"),
        ({"unknown_score": "mood"}, "allowed are max_probability"),
        ({"thresholds": [2]}, "numbers in 0 to 1"),
        ({"num_videos": -1}, "num_videos is -1"),
    ],
)
def test_what_no_program_could_use_is_refused(plain: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Decision.from_dict(plain)


@pytest.mark.parametrize(
    "decision",
    [Decision(), Decision(temperature={"model": 1.5}, unknown_below=0.3, thresholds=(0.4, 0.6), num_videos=9)],
)
def test_a_decision_is_copied_and_pickled_with_the_model_that_holds_it(decision: Decision) -> None:
    """An average of weights is a deep copy of the model."""
    assert copy.deepcopy(decision) == decision
    assert pickle.loads(pickle.dumps(decision)) == decision
