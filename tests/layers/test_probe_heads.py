"""Heads of a probe: built again from plain settings, exportable, and an ensemble is the mean of probabilities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings, build_head

SHAPES = {"late": (4, 3, 5), "early": (4, 1, 2)}
EVERY_KIND = [
    HeadSettings("logistic", ("late", "early"), "mean+absdiff+ends", "both"),
    HeadSettings("svm", ("late",), "segments2", "grid", "sqrt"),
    HeadSettings("linear", ("early",), "mean", "whole"),
    HeadSettings("attentive", ("late", "early"), width=8, num_heads=2),
]


def random_tokens(num: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {level: torch.randn(num, *shape, generator=generator) for level, shape in SHAPES.items()}


def random_ensemble() -> HeadEnsemble:
    torch.manual_seed(0)
    ensemble = HeadEnsemble(EVERY_KIND, SHAPES, 3, weights=[1, 2, 1, 3]).eval()
    for value in ensemble.state_dict().values():
        if value.is_floating_point():
            value.normal_(std=0.3).abs_()  # variances are not negative
    return ensemble


def test_an_ensemble_is_built_again_from_plain_settings_and_its_state(tmp_path: Path) -> None:
    ensemble = random_ensemble()
    plain = json.loads(json.dumps(ensemble.to_dict()))
    again = HeadEnsemble.from_dict(plain, SHAPES, 3).eval()
    torch.save(ensemble.state_dict(), tmp_path / "state")
    again.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert torch.equal(again(random_tokens()), ensemble(random_tokens()))
    assert again.settings == ensemble.settings


def test_an_ensemble_answers_with_the_weighted_mean_of_probabilities() -> None:
    ensemble = random_ensemble()
    own = [head(random_tokens()).softmax(dim=1) for head in ensemble.heads]
    expected = sum(weight * each for weight, each in zip([1, 2, 1, 3], own, strict=True)) / 7
    torch.testing.assert_close(ensemble(random_tokens()).softmax(dim=1), expected)
    one = HeadEnsemble(EVERY_KIND[:1], SHAPES, 3)
    assert torch.equal(one(random_tokens()), one.heads[0](random_tokens()))


def test_every_kind_answers_alike_after_export_for_any_number_of_views() -> None:
    ensemble = random_ensemble()
    views = torch.export.Dim("views", min=1, max=64)
    exported = torch.export.export(
        ensemble, (random_tokens(),), dynamic_shapes=({level: {0: views} for level in SHAPES},)
    ).module()
    for num in (2, 7):
        torch.testing.assert_close(exported(random_tokens(num)), ensemble(random_tokens(num)))


def test_half_precision_tokens_and_weights_give_logits_in_full() -> None:
    head = build_head(EVERY_KIND[0], SHAPES, 3)
    tokens = {level: x.half() for level, x in random_tokens().items()}
    assert head.half()(tokens).dtype == torch.float32


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"kind": "tree"}, "of kind 'tree'; expected one of logistic, svm, linear, attentive"),
        ({"colour": 1}, "no setting colour; expected descriptor, kind"),
        (["svm"], "given as .*; expected its settings by name"),
        ({"levels": 5}, "levels 5; expected a list of names"),
        ({"levels": ["a", 5]}, "expected a list of names"),
        ({"kind": "attentive", "num_heads": 0}, "num_heads 0; expected an integer of at least 1"),
        ({"kind": "attentive", "width": "128"}, "width '128'; expected an integer of at least 1"),
    ],
)
def test_settings_that_are_none_are_refused(plain: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeadSettings.from_dict(plain)


@pytest.mark.parametrize("weights", [[0], ["a"], [float("nan")], [1, 1]])
def test_weights_that_are_none_are_refused(weights: list[object]) -> None:
    plain = {"heads": [HeadSettings(levels=tuple(SHAPES)).to_dict()], "weights": weights}
    with pytest.raises(ValueError, match="weight"):
        HeadEnsemble.from_dict(plain, SHAPES, 3)


def test_the_attentive_head_hides_what_is_not_kept() -> None:
    torch.manual_seed(0)
    head = build_head(EVERY_KIND[3], SHAPES, 3).eval()
    torch.nn.init.normal_(head.linear.weight)
    for level, (_, _, D) in SHAPES.items():
        head.pool.set_components(level, torch.zeros(D), torch.eye(D, 8)[:, :D])
    tokens, keep = (
        random_tokens(),
        {level: torch.ones(3, *shape[:2], dtype=torch.bool) for level, shape in SHAPES.items()},
    )
    keep["late"][:, 3] = False  # the last frame, whose change no other token shows
    seen = head(tokens, keep)
    tokens["late"][:, 3] = 99.0
    torch.testing.assert_close(head(tokens, keep), seen)
    assert not torch.allclose(head(tokens), seen)
