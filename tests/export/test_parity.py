"""How far two answers lie apart, and when a file is refused for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from export_cases import CLASSES
from torch import Tensor

from vidcls.errors import ExportError
from vidcls.export.parity import Parity, check, compare
from vidcls.export.videos import CheckedVideo
from vidcls.tasks import task_of

TASK = task_of("single_label", CLASSES)
GOOD = Parity(100, 1e-6, "model, a.mp4", 1.0, "top1", 0.9, 0.9)


def scores(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)


def test_videos_are_compared_by_the_mean_of_their_views_in_every_row() -> None:
    views = {"rgb": torch.arange(2.0)[:, None]}
    videos = [CheckedVideo("a", views, 0), CheckedVideo("b", views, 1), CheckedVideo("c", views, 2)]
    before = {"model": scores([0.8, 0.1, 0.1], [0.6, 0.3, 0.1]), "spatial": scores([0.5, 0.3, 0.2], [0.5, 0.3, 0.2])}
    after = {"model": scores([0.1, 0.8, 0.1], [0.5, 0.4, 0.1]), "spatial": scores([0.5, 0.3, 0.2], [0.1, 0.7, 0.2])}
    found = compare(lambda _: before, lambda _: after, videos, TASK, "probabilities")
    assert found.largest_difference == pytest.approx(0.4)  # .7 and .3 of the first class, on average
    assert found.where.startswith("model, ")
    assert (found.num_videos, found.agreement) == (3, 0.0)
    assert (found.accuracy_before, found.accuracy_after) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    unlabelled = [replace(video, target=None) for video in videos]
    assert compare(lambda _: before, lambda _: before, unlabelled, TASK, "probabilities").loss is None


def test_logits_are_averaged_before_they_are_compared_as_probabilities() -> None:
    video = CheckedVideo("a", {"rgb": torch.zeros(2, 1)})
    one, other = (
        {"model": scores([0.0, 2.0, 0.0], [4.0, 0.0, 0.0])},
        {"model": scores([2.0, 1.0, 0.0], [2.0, 1.0, 0.0])},
    )
    assert compare(lambda _: one, lambda _: other, [video], TASK, "logits").largest_difference < 1e-6


def test_an_answer_that_is_not_finite_or_lacks_a_row_is_refused() -> None:
    video = CheckedVideo("a.mp4", {"rgb": torch.zeros(1, 1)})
    good, bad = {"model": scores([1.0, 0.0, 0.0])}, {"model": scores([float("nan"), 0.0, 0.0])}
    with pytest.raises(ExportError, match=r"answers a.mp4 with NaN or infinity"):
        compare(lambda _: good, lambda _: bad, [video], TASK, "probabilities")
    with pytest.raises(ExportError, match="the rows model, expected model, spatial"):
        compare(lambda _: {**good, "spatial": good["model"]}, lambda _: good, [video], TASK, "probabilities")
    with pytest.raises(ExportError, match="no video could be read"):
        compare(lambda _: good, lambda _: good, [], TASK, "probabilities")


def test_a_file_over_its_tolerance_is_refused_and_says_where() -> None:
    far = replace(GOOD, largest_difference=3e-3)
    with pytest.raises(ExportError, match=r"differs by 0.003 \(model, a.mp4\), and 0.0001 is allowed for fp32"):
        check(far, "fp32", tolerance=None, is_forced=True)
    check(far, "fp16", tolerance=None, is_forced=False)
    check(far, "fp32", tolerance=0.01, is_forced=False)


def test_int8_that_loses_videos_or_whose_accuracy_is_unknown_is_refused_unless_forced() -> None:
    lossy, unknown = replace(GOOD, accuracy_after=0.88), replace(GOOD, accuracy_before=None, accuracy_after=None)
    with pytest.raises(ExportError, match=r"int8 loses 2.0 points of top1 \(0.900 before, 0.880 after\)"):
        check(lossy, "int8", tolerance=None, is_forced=False)
    with pytest.raises(ExportError, match="only where its accuracy is known"):
        check(unknown, "int8", tolerance=None, is_forced=False)
    for parity in (lossy, unknown):
        check(parity, "int8", tolerance=None, is_forced=True)
        check(parity, "fp16", tolerance=None, is_forced=False)
    check(replace(GOOD, accuracy_after=0.95), "int8", tolerance=None, is_forced=False)
