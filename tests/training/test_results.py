"""Scores of several processes become those of one."""

from __future__ import annotations

import pytest
import torch

from vidcls.tasks import SingleLabel
from vidcls.training.results import VideoScores, joined, right_by_views


def shard(indices: list[int]) -> VideoScores:
    """Video k has the label k % 3 and scores that are its own number."""
    own = torch.tensor(indices)
    scores = {"model": own.float().unsqueeze(1).expand(-1, 3), "spatial": -own.float().unsqueeze(1).expand(-1, 3)}
    return VideoScores(SingleLabel("abc"), own, own % 3, scores, ("spatial",))


def test_joined_scores_stand_in_the_order_of_the_list() -> None:
    whole = joined([shard([0, 1, 4, 5]), shard([2, 3]), shard([6])])
    assert whole.indices.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert whole.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert whole.scores["model"][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert whole.scores["spatial"][:, 2].tolist() == [0, -1, -2, -3, -4, -5, -6]
    assert whole.parts == ("spatial",)


def test_the_table_has_a_row_for_the_model_each_part_and_each_fusion() -> None:
    right = torch.eye(3)
    scores = VideoScores(
        SingleLabel("abc"),
        torch.arange(3),
        torch.arange(3),
        {"model": right, "spatial": right.roll(1, 0), "mean": torch.cat([right[:2], right[:1]])},
    )
    table = scores.table()
    assert list(table) == ["model", "spatial", "mean"]
    assert [row["top1"] for row in table.values()] == pytest.approx([1.0, 0.0, 2 / 3])


def test_answers_from_fewer_views_are_means_of_evenly_spaced_ones() -> None:
    by_view = torch.tensor([[[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], [[0.1, 0.9], [0.1, 0.9], [0.4, 0.6]]])  # (2, 3, 2)
    right = right_by_views(by_view, torch.tensor([0, 1]), SingleLabel("ab"))
    assert right.tolist() == [[False, True, True], [True, True, True]]  # the middle; the first and the last; all


def test_the_last_column_of_views_is_the_answer_of_the_model() -> None:
    generator = torch.Generator().manual_seed(0)
    by_view = torch.rand(20, 5, 4, generator=generator).softmax(-1)
    labels = torch.randint(0, 4, (20,), generator=generator)
    assert torch.equal(
        right_by_views(by_view, labels, SingleLabel("abcd"))[:, -1], by_view.mean(1).argmax(-1) == labels
    )


def test_views_of_several_processes_are_joined_in_the_order_of_the_list() -> None:
    def part(indices: list[int]) -> VideoScores:
        own = torch.tensor(indices)
        views = torch.stack([own == 2, own >= 0], dim=1)
        return VideoScores(SingleLabel("ab"), own, own % 2, {"model": torch.eye(2)[own % 2]}, views_right=views)

    whole = joined([part([0, 3]), part([1, 2])])
    assert whole.views_right is not None
    assert whole.views_right[:, 0].tolist() == [False, False, True, False]
    assert whole.hits_by_views() == [0.25, 1.0]
    assert shard([0]).hits_by_views() == []
