"""Several classes for each video, or none: numbers worked out by hand, and against scikit-learn and torchmetrics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score
from torch.nn import functional as F
from torchmetrics.functional.classification import multilabel_average_precision

from vidcls.errors import DatasetError
from vidcls.runs.results import ScoredVideos, joined
from vidcls.tasks import MultiLabel, task_of
from vidcls.tasks.class_thresholds import best_f1_thresholds
from vidcls.tasks.multilabel_metrics import MeanAveragePrecision

TASK = MultiLabel(["run", "sit", "wave"])


def test_a_label_its_target_and_the_text_in_a_file_name_any_number_of_classes() -> None:
    for classes, target in ((("run", "wave"), [1, 0, 1]), (("sit",), [0, 1, 0]), ((), [0, 0, 0])):
        assert TASK.target(classes).tolist() == target
        assert TASK.classes_of(TASK.target(classes)) == TASK.classes_of(np.array(target)) == classes
        assert TASK.classes_in("|".join(classes)) == classes
    with pytest.raises(KeyError):
        TASK.target(["swim"])
    with pytest.raises(DatasetError, match=r"the class name 'a\|b' contains \|.*rename the class"):
        task_of("multi_label", ["a|b", "c"])


def test_a_class_is_predicted_from_its_threshold_on_in_pytorch_and_numpy() -> None:
    scores = torch.tensor([[0.5, 0.4, 0.2], [0.49, 0.3, 0.9]])
    assert TASK.predicted(scores).tolist() == TASK.predicted(scores.numpy()).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert [TASK.answer(row) for row in scores] == [("run",), ("wave",)]
    cut = TASK.with_thresholds([0.6, 0.3, 1.0])
    assert cut.predicted(scores).tolist() == cut.predicted(scores.numpy()).tolist() == [[0, 1, 0], [0, 1, 0]]
    each = TASK.with_thresholds(np.array([[0.6, 0.3, 1.0], [0.5, 0.5, 0.5]]))  # such as of two folds
    assert each.predicted(scores.numpy()).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert TASK.confidence(scores.numpy()) == pytest.approx([0.5, 0.51])
    for wrong in ([0.5, 0.5], [0.0, 0.5, 0.5], [0.5, 0.5, float("nan")]):
        with pytest.raises(ValueError, match="expected a threshold above 0 and up to 1 for each of 3 classes"):
            TASK.with_thresholds(wrong)


def test_a_video_that_could_not_be_read_is_wrong_by_every_metric() -> None:
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    assert TASK.wrong_scores(targets).tolist() == [[0, 1, 0], [1, 0, 1]]
    found = TASK.measured(TASK.wrong_scores(targets), targets, at_once=1)
    assert {found[key] for key in ("f1_macro", "f1_micro", "exact_match")} == {0.0}
    assert found["map"] == 0.5  # one of two videos has each class: the lowest that can be


def scored(num_videos: int, num_classes: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores with many ties, videos without a label, and a last class that no video has."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((num_videos, num_classes)) < rng.uniform(0.05, 0.6, num_classes)).astype(np.float32)
    targets[:2], targets[:, -1] = 0, 0
    scores = np.round(0.3 * targets + 0.7 * rng.random(targets.shape), 1).astype(np.float32)
    return scores, targets


@pytest.mark.parametrize("seed", range(4))
def test_the_metrics_are_scikit_learns_with_ties_empty_classes_and_weights(seed: int) -> None:
    scores, targets = scored(30, 5, seed)
    task = MultiLabel("abcde", thresholds=[0.5, 0.3, 0.8, 0.5, 0.2])
    predictions, occurs = task.predicted(scores), targets.any(axis=0)
    weights = np.random.default_rng(seed).integers(0, 3, len(scores)).astype(float)  # as of a bootstrap
    for w in (None, weights):
        drawn = occurs if w is None else (targets * w[:, None]).any(axis=0)
        precisions = [
            average_precision_score(targets[:, k], scores[:, k], sample_weight=w) for k in np.flatnonzero(drawn)
        ]
        f1 = {
            "f1_macro": f1_score(targets, predictions, average="macro", labels=np.flatnonzero(drawn), sample_weight=w),
            "f1_micro": f1_score(targets, predictions, average="micro", sample_weight=w),
        }
        exact = np.average((predictions == targets).all(axis=1), weights=w)
        measures = {key: measure(w) for key, measure in task.measures(scores, targets).items()}
        assert measures == pytest.approx({"map": np.mean(precisions), **f1, "exact_match": exact})
    theirs = multilabel_average_precision(
        torch.tensor(scores[:, occurs]), torch.tensor(targets[:, occurs]).int(), int(occurs.sum())
    )
    assert task.measures(scores, targets)["map"](None) == pytest.approx(float(theirs))


def test_while_running_and_afterwards_the_metrics_are_the_same_without_a_warning() -> None:
    scores, targets = scored(40, 7, 1)
    task = MultiLabel("abcdefg", thresholds=np.linspace(0.2, 0.8, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counted = task.measured(torch.tensor(scores), torch.tensor(targets), at_once=16)
        metrics = task.metrics("val/")
        task.count(metrics, torch.tensor(scores).logit(), torch.tensor(targets))
    measures = task.measures(scores, targets)
    assert list(counted) == list(measures) == [name.key for name in task.metric_names]
    expected = {key: measure(None) for key, measure in measures.items()}
    assert expected == pytest.approx(counted)
    assert {key: float(value) for key, value in metrics.compute().items()} == pytest.approx(
        {f"val/{key}": value for key, value in expected.items()}
    )


def test_where_no_video_has_a_class_every_metric_is_a_number() -> None:
    scores, targets = np.full((3, 2), 0.25), np.zeros((3, 2))
    measures = {key: measure(None) for key, measure in MultiLabel("ab").measures(scores, targets).items()}
    assert measures == {"map": 0.0, "f1_macro": 0.0, "f1_micro": 0.0, "exact_match": 1.0}
    assert MultiLabel("ab").measured(torch.tensor(scores), torch.tensor(targets), at_once=2) == measures


def test_what_answers_without_looking_reach_is_worked_out_by_hand() -> None:
    targets = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=float)
    constant, everything = TASK.baselines(targets)
    assert constant.answer == 'always "run"'
    assert constant.values == pytest.approx({"map": 0.5, "f1_macro": 3 / 7, "f1_micro": 0.75, "exact_match": 0.5})
    assert everything.answer == "always every class"
    f1 = {"f1_macro": (6 / 7 + 2 / 5) / 2, "f1_micro": 8 / 16}
    assert everything.values == pytest.approx({"map": 0.5, **f1, "exact_match": 0.0})  # the mean share of a class
    assert TASK.baselines(np.zeros((2, 3)))[0].answer == "always no class"


def test_streams_are_fused_by_the_mean_of_probabilities_or_the_product_of_odds() -> None:
    logits = 3 * torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    p = logits.sigmoid()
    torch.testing.assert_close(TASK.mean_of_probabilities(logits).sigmoid(), p.mean(dim=0))
    weights = torch.tensor([3.0, 1.0])
    torch.testing.assert_close(
        TASK.mean_of_probabilities(logits, weights).sigmoid(), (3 * p[0] + p[1]) / 4, rtol=1e-5, atol=1e-6
    )
    odds = (p / (1 - p)) ** (weights / 4).view(2, 1, 1)
    product = odds[0] * odds[1]
    torch.testing.assert_close(TASK.product_of_probabilities(logits, weights).sigmoid(), product / (1 + product))
    certain = torch.tensor([[[200.0]], [[-200.0]]])  # whose sigmoids are 1 and 0
    assert float(TASK.mean_of_probabilities(certain).sigmoid()) == pytest.approx(0.5)


def test_probabilities_without_torch_are_those_of_torch_for_any_logit() -> None:
    logits = torch.tensor([[-200.0, -30.0, 0.0], [1.5, 30.0, 200.0]])
    found = TASK.array_probabilities(logits.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, TASK.probabilities(logits).numpy(), rtol=1e-6)


def test_balanced_weights_make_those_that_have_a_class_count_as_much_as_all_others() -> None:
    assert TASK.balanced_weights([2, 5, 0], 10) == [4.0, 1.0, 0.0]


def test_the_loss_of_videos_has_no_weights_and_that_of_a_batch_takes_mixed_targets() -> None:
    logits, targets = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.rand(4, 3)
    plain = TASK.loss(logits, targets, weights=torch.ones(3), label_smoothing=0.0)
    torch.testing.assert_close(plain, F.binary_cross_entropy_with_logits(logits, targets))
    torch.testing.assert_close(TASK.loss_by_video(logits, targets).mean(), plain)


def test_thresholds_have_the_best_f1_of_all_and_one_half_where_nothing_can_be_learned() -> None:
    scores, targets = scored(60, 4, 3)
    thresholds = best_f1_thresholds(scores, targets)
    for k in range(3):
        reached = [f1_score(targets[:, k], scores[:, k] >= t) for t in np.linspace(0.001, 1, 1000)]
        assert f1_score(targets[:, k], scores[:, k] >= thresholds[k]) == pytest.approx(max(reached))
    assert thresholds[3] == 0.5
    assert best_f1_thresholds(np.array([[0.9], [0.1]]), np.array([[1], [0]])) == (0.5,)  # any between does as well
    assert best_f1_thresholds(np.array([[0.4], [0.2], [0.0]]), np.array([[1], [1], [0]])) == (pytest.approx(0.1),)
    assert best_f1_thresholds(np.array([[0.0], [0.0]]), np.array([[1], [0]]))[0] > 0
    assert best_f1_thresholds(np.array([[0.9], [0.1]]), np.array([[1], [1]])) == (0.5,)


def test_the_precision_of_several_processes_is_that_of_all_videos_also_where_one_has_seen_none() -> None:
    scores, targets = (torch.tensor(values) for values in scored(20, 4, 2))
    others = {torch.float32: scores[:12], torch.uint8: targets[:12].to(torch.uint8)}
    for mine in (scores[12:], scores[:0]):
        metric = MeanAveragePrecision(4)
        metric.distributed_available_fn = lambda: True
        metric.dist_sync_fn = lambda own, group: [others[own.dtype], own]
        if len(mine):
            metric.update(scores[12:], targets[12:])
        seen = 12 + len(mine)
        expected = MultiLabel("abcd").measures(scores[:seen].numpy(), targets[:seen].numpy())["map"](None)
        assert float(metric.compute()) == pytest.approx(expected)


def test_the_predictions_of_several_tests_follow_the_thresholds_of_each() -> None:
    scores, targets = scored(10, 2, 0)
    tests = [
        ScoredVideos(names, tuple(f"{start + k}.mp4" for k in range(5)), targets[start : start + 5], ("",) * 5,
                     scores[start : start + 5], "multi_label", np.array(thresholds))
        for start, names, thresholds in ((0, ("a", "b"), [0.3, 0.7]), (5, ("a", "b"), [0.8, 0.2]))
    ]  # fmt: skip
    together = joined(tests)
    assert together.predictions.tolist() == [*tests[0].predictions.tolist(), *tests[1].predictions.tolist()]
    assert together.measured("exact_match") == pytest.approx(np.mean([test.measured("exact_match") for test in tests]))
