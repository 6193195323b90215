"""Scores of several processes become those of one."""

from __future__ import annotations

import pytest
import torch

from vidcls.training.results import TestScores, joined


def shard(indices: list[int]) -> TestScores:
    """Video k has the label k % 3 and scores that are its own number."""
    own = torch.tensor(indices)
    scores = {"model": own.float().unsqueeze(1).expand(-1, 3), "spatial": -own.float().unsqueeze(1).expand(-1, 3)}
    return TestScores(("a", "b", "c"), own, own % 3, scores, ("spatial",))


def test_joined_scores_stand_in_the_order_of_the_list() -> None:
    whole = joined([shard([0, 1, 4, 5]), shard([2, 3]), shard([6])])
    assert whole.indices.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert whole.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert whole.scores["model"][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert whole.scores["spatial"][:, 2].tolist() == [0, -1, -2, -3, -4, -5, -6]
    assert whole.parts == ("spatial",)


def test_the_table_has_a_row_for_the_model_each_part_and_each_fusion() -> None:
    right = torch.eye(3)
    scores = TestScores(
        ("a", "b", "c"),
        torch.arange(3),
        torch.arange(3),
        {"model": right, "spatial": right.roll(1, 0), "mean": torch.cat([right[:2], right[:1]])},
    )
    table = scores.table()
    assert list(table) == ["model", "spatial", "mean"]
    assert [row["top1"] for row in table.values()] == pytest.approx([1.0, 0.0, 2 / 3])
