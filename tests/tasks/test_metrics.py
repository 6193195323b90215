"""Metrics against counts made by hand and against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from vidcls.tasks import SingleLabel
from vidcls.tasks.metrics import mean_recall
from vidcls.training.results import CHUNK


def single_label(num_classes: int) -> SingleLabel:
    return SingleLabel([f"class {k}" for k in range(num_classes)])


def score(scores: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    return single_label(scores.shape[1]).measured(scores, labels, at_once=CHUNK)


def certain(predictions: list[int], num_classes: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(predictions), num_classes).float()


def test_top1_is_the_share_of_right_answers() -> None:
    found = score(certain([0, 1, 2, 2], 3), torch.tensor([0, 1, 2, 1]))
    assert found["top1"] == pytest.approx(0.75)


def test_top5_counts_the_first_five_of_six_classes() -> None:
    scores = torch.tensor([[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]]).repeat(4, 1)
    assert score(scores, torch.tensor([0, 4, 5, 5]))["top5"] == pytest.approx(0.5)


@pytest.mark.parametrize(("num_classes", "has_top5"), [(2, False), (4, False), (5, False), (6, True), (101, True)])
def test_top5_is_left_out_where_it_could_not_be_wrong(num_classes: int, has_top5: bool) -> None:
    assert ("val/top5" in set(single_label(num_classes).metrics("val/").keys())) is has_top5


def test_mean_class_accuracy_is_balanced_accuracy_and_leaves_absent_classes_out() -> None:
    labels = [0, 0, 0, 0, 1, 3, 3]
    predictions = [0, 0, 0, 2, 1, 2, 3]  # class 2 is answered twice and never true
    expected = balanced_accuracy_score(labels, predictions)
    assert expected == pytest.approx((0.75 + 1.0 + 0.5) / 3)
    found = score(certain(predictions, 4), torch.tensor(labels))
    assert found["mean_class_accuracy"] == pytest.approx(expected)


def test_mean_class_accuracy_over_several_updates_is_that_of_all_videos() -> None:
    metrics = single_label(3).metrics("")
    for predictions, labels in (([0, 0], [0, 0]), ([1, 0], [1, 1]), ([2, 2], [2, 0])):
        metrics.update(certain(predictions, 3), torch.tensor(labels))
    assert float(metrics.compute()["mean_class_accuracy"]) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_mean_recall_of_nothing_is_zero() -> None:
    assert float(mean_recall(torch.zeros(3, 3))) == 0


class Largest(TorchDispatchMode):
    """Notes how many values the largest tensor has that is made inside it."""

    num_values = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.num_values = max(self.num_values, tensor.numel())
        return made


@pytest.mark.parametrize("deterministic", [False, True])
def test_no_table_of_all_pairs_of_classes_is_made_for_each_video(deterministic: bool) -> None:
    """With 700 classes it would be half a million numbers for each."""
    K, N = 40, 2 * CHUNK + 500
    scores = torch.rand(N, K, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(N) % K
    torch.use_deterministic_algorithms(deterministic)
    try:
        with Largest() as largest:
            found = score(scores, labels)
    finally:
        torch.use_deterministic_algorithms(False)
    assert largest.num_values <= N * K
    right = scores.argmax(dim=1) == labels
    assert found["top1"] == pytest.approx(float(right.float().mean()))
    best_five = scores.topk(5, dim=1).indices
    assert found["top5"] == pytest.approx(float((best_five == labels[:, None]).any(dim=1).float().mean()))
    assert found["mean_class_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores.argmax(dim=1)))


def test_scoring_makes_no_table_of_all_videos_and_classes() -> None:
    K, N = 40, 4 * CHUNK
    scores, labels = torch.rand(N, K), torch.arange(N) % K
    with Largest() as largest:
        score(scores, labels)
    assert largest.num_values < N * K / 2
