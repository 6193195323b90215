"""Heads for videos with several labels or none: one class against all else, compared by mAP."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidcls.errors import DatasetError
from vidcls.probe import ProbeSettings, choose_heads
from vidcls.probe.folds import inner_folds
from vidcls.probe.linear_heads import fit_classifier
from vidcls.tasks import MultiLabel

NAMES = ["down", "late", "up"]
T, P, D = 6, 2, 4


def videos(num: int = 40) -> tuple[list[dict[str, torch.Tensor]], np.ndarray, list[str]]:
    """Features of which one has its sign, one its slope by a class of its own, so that all combinations occur."""
    generator = torch.Generator().manual_seed(0)
    labels = np.array([[k % 2, k // 2 % 2, k // 4 % 2] for k in range(num)])
    x = 0.3 * torch.randn(num, 1, T, P, D, generator=generator)
    for number in range(3):
        x[..., number] += (2 * torch.tensor(labels[:, number]).float() - 1).view(-1, 1, 1, 1)
    return [{"top": each.half()} for each in x], labels, [f"person {k // 4}" for k in range(num)]


@pytest.mark.parametrize("kinds", [["logistic"], ["svm"], ["logistic", "linear"]])
def test_the_chosen_heads_know_every_class_by_itself_and_say_so_in_probabilities(kinds: list[str]) -> None:
    features, labels, groups = videos()
    settings = ProbeSettings(
        kinds=kinds,  # type: ignore[arg-type]
        descriptors=["mean"],
        strengths=[1.0],
        pca=[3],
        num_epochs=[4],
        ensemble=3,
    )
    choice = choose_heads(features, labels, groups, settings, class_names=NAMES)
    assert choice.mean_class_accuracy > 0.99  # mAP
    assert choice.nested_accuracy > 0.99
    task = MultiLabel(NAMES)
    assert task.measures(choice.probabilities, labels)["exact_match"](None) > 0.9
    logits = choice.head({"top": torch.cat([each["top"] for each in features]).float()}).detach()
    assert bool(((logits > 0).numpy() == labels).all())


def test_an_ensemble_has_the_mean_of_the_probabilities_of_its_heads() -> None:
    from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings

    torch.manual_seed(0)
    settings = [HeadSettings("logistic", ("top",), "mean", "whole"), HeadSettings("svm", ("top",), "ends", "whole")]
    heads = HeadEnsemble(settings, {"top": (T, P, D)}, 3, weights=[3, 1], has_one_class=False).eval()
    tokens = {"top": 3 * torch.randn(5, T, P, D)}
    first, second = (head(tokens).sigmoid() for head in heads.heads)
    torch.testing.assert_close(heads(tokens).sigmoid(), (3 * first + second) / 4)


def test_a_class_that_all_videos_of_a_fold_have_or_none_is_answered_without_a_fit() -> None:
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1], [1, 0, 0]])
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    weight, bias = fit_classifier("logistic", x, labels, 1.0, 3)
    assert weight[0, :2].tolist() == [0, 0]
    assert bias[0] > 5
    assert bias[1] < -5
    assert weight[0, 2] > 0


def test_folds_keep_groups_whole_and_classes_of_one_video_are_refused() -> None:
    features, labels, groups = videos()
    folds = inner_folds(labels, groups, 5)
    assert sorted(np.concatenate(folds).tolist()) == list(range(40))
    for held in folds:
        assert not {groups[k] for k in held} & {groups[k] for k in set(range(40)) - set(held.tolist())}
    labels[:, 1] = 0
    with pytest.raises(DatasetError, match=r"late \(0\)"):
        choose_heads(features, labels, groups, ProbeSettings(), class_names=NAMES)
