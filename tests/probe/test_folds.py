"""Folds for the choice of heads: groups stay whole, and fewer folds are said."""

from __future__ import annotations

import numpy as np
import pytest

from vidcls.probe.folds import held_out_whole, inner_folds


def test_groups_are_never_divided_and_every_video_is_held_out_once() -> None:
    rng = np.random.default_rng(0)
    groups = [f"g{k}" for k in rng.integers(0, 9, 60)]
    labels = list(rng.integers(0, 3, 60))
    folds = inner_folds(labels, groups, 5)
    assert sorted(np.concatenate(folds)) == list(range(60))
    for held in folds:
        inside = {groups[k] for k in held}
        assert all(k in held for k, group in enumerate(groups) if group in inside)


@pytest.mark.parametrize(
    ("labels", "groups", "num_folds", "told"),
    [
        ([0, 1] * 6, ["one"] * 12, 5, "all training videos are of one group"),
        ([0, 1] * 6, ["a", "b", "c"] * 4, 3, "3-fold cross-validation"),
        ([0] * 10 + [1] * 2, [None] * 12, 2, "2-fold cross-validation"),
        ([0, 1] * 6, [""] * 12, 5, ""),
    ],
)
def test_fewer_groups_or_videos_give_fewer_folds_which_is_said(
    labels: list[int], groups: list[str | None], num_folds: int, told: str
) -> None:
    lines: list[str] = []
    folds = inner_folds(labels, groups, 5, tell=lines.append)
    assert len(folds) == num_folds
    assert all(len(held) for held in folds)
    assert told in " ".join(lines)
    assert bool(lines) == bool(told)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([0, 0, 0, 1, 1, 1], list("aaabbb")),  # every class in one group: held out, it cannot be learned
        ([0, 0, 0, 0, 1, 1, 1], list("aabbccc")),  # without group c one class is left
        ([0, 0, 1, 1, 2, 2], list("aabbcc")),
    ],
)
def test_groups_are_divided_where_classes_could_not_be_both_learned_and_held_out_and_that_is_said(
    labels: list[int], groups: list[str]
) -> None:
    lines: list[str] = []
    folds = inner_folds(labels, groups, 5, tell=lines.append)
    assert sorted(np.concatenate(folds)) == list(range(len(labels)))
    for held in folds:
        assert {labels[k] for k in range(len(labels)) if k not in held} == set(labels)
    assert "optimistic" in lines[0]


def test_a_class_in_one_group_among_others_is_named_and_no_group_is_divided() -> None:
    labels, groups = [0, 0, 1, 1, 0, 1, 2, 2, 0, 1], list("aaaabbcccc")
    lines: list[str] = []
    folds = inner_folds(labels, groups, 3, tell=lines.append)
    assert held_out_whole(labels, folds) == [2]
    assert "optimistic" not in "".join(lines)
