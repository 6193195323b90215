"""The views of a video become one answer after softmax or before it, with numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidcls.inference.view_scores import video_scores, view_scores
from vidcls.tasks import SingleLabel
from vidcls.training.fusion import fixed_fusions

TASK = SingleLabel("abcdef")

# One view is certain of class 0; two others lean to class 1.
LOGITS = torch.tensor([[[10.0, 0.0], [0.0, 2.0], [0.0, 2.0]]])  # (1, 3, 2)


def test_probabilities_are_averaged_after_softmax() -> None:
    found = video_scores(view_scores(LOGITS, "probabilities", TASK), "probabilities", TASK)
    # (.99995 + .11920 + .11920) / 3
    assert found[0].tolist() == pytest.approx([0.41279, 0.58721], abs=1e-5)


def test_logits_are_averaged_before_softmax() -> None:
    found = video_scores(view_scores(LOGITS, "logits", TASK), "logits", TASK)
    # the means are 10/3 and 4/3, and 1 / (1 + exp(-2)) = .88080
    assert found[0].tolist() == pytest.approx([0.88080, 0.11920], abs=1e-5)


@pytest.mark.parametrize("rule", ["probabilities", "logits"])
def test_a_single_view_is_its_softmax_by_either_rule_and_scores_are_float32(rule: str) -> None:
    logits = torch.randn(4, 1, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = video_scores(view_scores(logits, rule, TASK), rule, TASK)  # type: ignore[arg-type]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, logits[:, 0].float().softmax(dim=-1))


def tsn_scores(spatial: Tensor, temporal: Tensor) -> Tensor:
    """What TSN's evaluation tools make of ``(snippets, crops, K)``: means of crops and snippets, the sum of streams."""
    return 1.0 * spatial.mean(dim=1).mean(dim=0) + 1.5 * temporal.mean(dim=1).mean(dim=0)


def test_fused_logits_are_ranked_as_by_the_evaluation_tools_of_tsn() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([1.0, 1.5])
    differ = 0
    for _ in range(50):
        spatial, temporal = (torch.randn(25, 10, 6, generator=generator) * 6 for _ in range(2))
        expected = tsn_scores(spatial, temporal)
        views = torch.stack([spatial, temporal]).flatten(1, 2)  # (2, 250, K)
        by_rule = {}
        for rule in ("logits", "probabilities"):
            fused = fixed_fusions(TASK, rule)["weighted"](views, weights)  # type: ignore[index]
            by_rule[rule] = video_scores(view_scores(fused, rule, TASK)[None], rule, TASK)[0]  # type: ignore[arg-type]
        assert by_rule["logits"].argsort().tolist() == expected.argsort().tolist()
        torch.testing.assert_close(by_rule["logits"], (expected / 2.5).softmax(dim=-1))
        differ += int(by_rule["probabilities"].argmax()) != int(expected.argmax())
    assert differ > 0  # or the rule would make no difference
