"""One class for each video: targets, predictions and what counts as wrong, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidcls.errors import ConfigurationError, DatasetError
from vidcls.tasks import SingleLabel, task_class, task_of

TASK = SingleLabel(["run", "sit", "walk"])


def test_a_label_its_target_and_the_text_in_a_file_name_one_class() -> None:
    assert [TASK.target([name]) for name in TASK.class_names] == [0, 1, 2]
    assert TASK.classes_of(torch.tensor(2)) == TASK.classes_of(np.int64(2)) == ("walk",)
    assert TASK.classes_in("a|b") == ("a|b",)  # a class may be called so
    for classes in ([], ["run", "sit"]):
        with pytest.raises(DatasetError, match="list one label for each video"):
            TASK.target(classes)


def test_the_prediction_is_the_first_of_the_most_probable_classes_in_pytorch_and_numpy() -> None:
    scores = torch.tensor([[0.4, 0.4, 0.2], [0.1, 0.3, 0.6]])
    targets = torch.tensor([1, 2])
    assert TASK.predicted(scores).tolist() == TASK.predicted(scores.numpy()).tolist() == [0, 2]
    assert TASK.is_correct(scores, targets).tolist() == [False, True]
    assert TASK.is_correct(scores.numpy(), targets.numpy()).tolist() == [False, True]
    assert [TASK.answer(row) for row in scores] == [("run",), ("walk",)]


def test_a_video_that_could_not_be_read_is_wrong_by_every_metric() -> None:
    targets = torch.tensor([0, 1, 2])
    scores = TASK.wrong_scores(targets)
    assert scores.tolist() == [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
    assert set(TASK.measured(scores, targets, at_once=2).values()) == {0.0}


def test_balanced_weights_are_inverse_to_the_counts_with_a_mean_of_one_over_videos() -> None:
    counts = [8, 2, 0, 2]
    weights = SingleLabel("abcd").balanced_weights(counts, 12)
    # 12 videos of 3 classes: 4 in the mean, so 4/8, 4/2, 4/2
    assert weights == [0.5, 2.0, 0.0, 2.0]
    assert sum(w * n for w, n in zip(weights, counts, strict=True)) == sum(counts)


def test_the_mean_without_weights_is_that_of_equal_weights() -> None:
    logits = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(TASK.mean_of_probabilities(logits), TASK.mean_of_probabilities(logits, torch.ones(3)))


def test_while_running_and_afterwards_the_metrics_are_the_same() -> None:
    task = SingleLabel("abcdefg")
    scores = torch.rand(40, 7, generator=torch.Generator().manual_seed(0))
    targets = task.random_targets(40, torch.Generator().manual_seed(1))
    counted = task.measured(scores, targets, at_once=16)
    measures = task.measures(scores.numpy(), targets.numpy())
    assert list(counted) == list(measures) == [name.key for name in task.metric_names]
    assert {key: measure(None) for key, measure in measures.items()} == pytest.approx(counted)


def test_a_task_is_found_by_name_and_nothing_means_single_label() -> None:
    assert task_class(None) is SingleLabel
    assert task_of("single_label", ["a", "b"]).num_classes == 2
    with pytest.raises(ConfigurationError, match="there is no task 'other': use single_label"):
        task_of("other", ["a"])


def test_without_looking_one_guesses_or_answers_the_largest_class() -> None:
    guessing, constant = TASK.baselines(np.array([2, 2, 2, 0]))
    assert guessing == ("guessing", {"top1": 1 / 3, "mean_class_accuracy": 1 / 3})
    assert constant == ('always "walk"', {"top1": 0.75, "mean_class_accuracy": 0.5})
    many = SingleLabel([f"c{k}" for k in range(10)])
    assert many.baselines(np.arange(10))[0].values["top5"] == 0.5
