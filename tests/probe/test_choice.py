"""The choice of heads against scikit-learn's own pipelines, and planted answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from vidcls.errors import DatasetError
from vidcls.layers.descriptors import blocks_of, describe
from vidcls.probe import COLUMNS, Choice, ProbeSettings, choose_heads, reduced
from vidcls.probe.scores import greedy_ensemble

NAMES = ["down", "up", "still"]
T, P, D = 6, 3, 4


def ordered_videos(num: int = 36, *, noise: float = 0.3) -> tuple[list[dict[str, torch.Tensor]], list[int], list[str]]:
    """Videos of two views whose first feature falls, rises or stays: nothing but the order of time tells the class."""
    generator = torch.Generator().manual_seed(0)
    labels = [k % 3 for k in range(num)]
    slope = torch.tensor([-1.0, 1.0, 0.0])[labels]
    late = noise * torch.randn(num, 2, T, P, D, generator=generator)
    late[..., 0] += (slope[:, None] * torch.linspace(-1, 1, T))[:, None, :, None]
    early = torch.randn(num, 2, T, P, D, generator=generator)
    features = [{"late": late[k].half(), "early": early[k].half()} for k in range(num)]
    return features, labels, [f"person {k // 4}" for k in range(num)]


def choose(settings: ProbeSettings, *, num: int = 36, noise: float = 0.3, names: list[str] = NAMES) -> Choice:
    features, labels, groups = ordered_videos(num, noise=noise)
    if len(names) == 2:
        kept = [k for k, label in enumerate(labels) if label < 2]
        features, labels, groups = [features[k] for k in kept], [labels[k] for k in kept], [groups[k] for k in kept]
    return choose_heads(features, labels, groups, settings, class_names=names)


@pytest.mark.parametrize("kind", ["logistic", "svm"])
@pytest.mark.parametrize("names", [NAMES, NAMES[:2]])
def test_one_linear_layer_answers_as_the_pipeline_of_scikit_learn(kind: str, names: list[str]) -> None:
    settings = ProbeSettings(
        kinds=[kind],
        levels=["late+early"],
        descriptors=["mean+ends"],
        places=["both"],
        scales=["none"],
        strengths=[0.1],
        pca=[10],
    )
    choice = choose(settings, names=names)
    features, labels, _ = ordered_videos()
    kept = [k for k, label in enumerate(labels) if label < len(names)]
    tokens = {level: torch.cat([features[k][level] for k in kept]) for level in ("late", "early")}
    shapes = dict.fromkeys(("late", "early"), (T, P, D))
    blocks = blocks_of(shapes, ["late", "early"], "mean+ends", "both")
    x = describe(tokens, blocks).double().numpy()
    stops = np.cumsum([block.num_features((T, P, D)) for block in blocks])[:-1]
    totals = [np.sqrt(each.var(axis=0).sum()) for each in np.split(x, stops, axis=1)]  # of each block
    x = np.concatenate([each / total for each, total in zip(np.split(x, stops, axis=1), totals, strict=True)], axis=1)
    truth = np.repeat([labels[k] for k in kept], 2)
    if kind == "logistic":
        machine = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, tol=1e-5)
    else:
        machine = LinearSVC(C=0.1, class_weight="balanced", random_state=0, dual=False, max_iter=20000)
    pipeline = make_pipeline(PCA(10, svd_solver="full"), StandardScaler(), machine)
    pipeline.fit(x, truth)
    expected = pipeline.decision_function(x)
    with torch.no_grad():
        logits = choice.head(tokens).double().numpy()
    if len(names) == 2:
        logits = logits[:, 1] - logits[:, 0] if kind == "logistic" else logits[:, 1]
    if kind == "logistic" and len(names) > 2:
        logits, expected = (each - each.mean(axis=1, keepdims=True) for each in (logits, expected))
    logits = logits * (expected * logits).sum() / (logits**2).sum()  # up to the scale that was fitted to held-out ones
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_the_level_and_the_descriptor_that_know_the_answer_are_chosen() -> None:
    levels = ["late", "early", "late+early"]
    choice = choose(
        ProbeSettings(levels=levels, descriptors=["mean", "ends"], places=["whole"], strengths=[0.1], ensemble=1)
    )
    assert choice.settings[0].descriptor == "ends"
    assert "late" in choice.settings[0].levels
    assert choice.mean_class_accuracy > 0.9
    assert [row.weight for row in choice.rows] == [1] + [0] * (len(choice.rows) - 1)
    of_mean = [row.mean_class_accuracy for row in choice.rows if row.settings.descriptor == "mean"]
    assert max(of_mean) < 0.7
    assert len(choice.rows) == 2 * 3 * 2 * 2  # kinds, levels, descriptors, scales


def test_two_choices_are_the_same_to_the_last_bit() -> None:
    settings = ProbeSettings(
        kinds=["logistic", "svm", "attentive"], width=8, num_epochs=[2], places=["grid"], strengths=[0.1]
    )
    first, second = choose(settings, noise=3.0), choose(settings, noise=3.0)
    assert first.settings == second.settings
    for name, value in first.head.state_dict().items():
        assert torch.equal(value, second.head.state_dict()[name])
    assert np.array_equal(first.probabilities, second.probabilities)
    assert first.nested_accuracy == second.nested_accuracy


@pytest.mark.slow
def test_a_head_with_attention_learns_the_order_of_time_where_a_mean_cannot() -> None:
    common = {"levels": ["late"], "places": ["whole"], "scales": ["none"], "num_folds": 2, "width": 16}
    attentive = ProbeSettings(kinds=["attentive"], num_epochs=[200], **common)
    ends = ProbeSettings(kinds=["linear"], descriptors=["ends"], num_epochs=[200], **common)
    mean = ProbeSettings(kinds=["linear"], descriptors=["mean"], num_epochs=[60], **common)
    assert choose(attentive).mean_class_accuracy > 0.85
    assert choose(ends).mean_class_accuracy > 0.85
    assert choose(mean).mean_class_accuracy < 0.7


def test_views_of_one_video_are_held_out_together() -> None:
    """Labels are drawn, so that nothing can be learned but which video it is: its other view would tell."""
    rng = np.random.default_rng(0)
    labels = [k % 2 for k in range(40)]
    base = torch.from_numpy(rng.standard_normal((40, 1, 2, 1, 80))).half()
    features = [{"l": torch.cat([base[k], base[k]])} for k in range(40)]
    choice = choose_heads(
        features,
        labels,
        [None] * 40,
        ProbeSettings(kinds=["logistic"], strengths=[1.0], ensemble=1),
        class_names=["a", "b"],
    )
    assert choice.mean_class_accuracy < 0.75


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 0, 0, 0]])
def test_a_class_with_fewer_than_two_videos_is_one_clear_line(labels: list[int]) -> None:
    features = [{"l": torch.zeros(1, 1, 1, 2)} for _ in labels]
    count = labels.count(1)
    with pytest.raises(DatasetError, match=rf"at least two training videos of each class.*: fall \({count}\); add"):
        choose_heads(features, labels, [None] * 4, ProbeSettings(), class_names=["walk", "fall"])


def test_a_class_that_is_unseen_while_its_group_is_held_out_is_named() -> None:
    features, labels, _ = ordered_videos(12)
    groups = ["only" if label == 2 else f"person {k // 3}" for k, label in enumerate(labels)]
    told: list[str] = []
    choose_heads(features, labels, groups, ProbeSettings(strengths=[0.1]), class_names=NAMES, tell=told.append)
    assert any("all training videos of still are held out together, as groups are" in line for line in told)


def test_twelve_videos_and_features_that_never_change_still_give_an_answer() -> None:
    features, labels, groups = ordered_videos(12)
    for each in features:
        each["early"] = torch.zeros_like(each["early"])
    choice = choose_heads(features, labels, groups, ProbeSettings(), class_names=NAMES)
    assert all(torch.isfinite(value).all() for value in choice.head.state_dict().values())
    assert np.isfinite(choice.probabilities).all()


def test_the_span_of_some_videos_serves_for_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ProbeSettings(
        kinds=["logistic"],
        levels=["late"],
        descriptors=["mean+ends"],
        places=["both"],
        scales=["none"],
        strengths=[0.1],
    )
    whole = choose(settings, num=60)
    monkeypatch.setattr(reduced, "FEWEST_BASIS_VIEWS", 50)
    monkeypatch.setattr(reduced, "MOST_BASIS_VIEWS", 50)  # more than the 24 features, so that nothing is lost
    some = choose(settings, num=60)
    np.testing.assert_allclose(some.probabilities, whole.probabilities, atol=0.05)  # standardised by some videos
    features, labels, _ = ordered_videos(60)
    hits = [int(some.head(video).mean(dim=0).argmax()) == label for video, label in zip(features, labels, strict=True)]
    assert np.mean(hits) > 0.95


def test_an_ensemble_is_kept_only_where_it_beats_the_best() -> None:
    labels = np.array([0, 0, 1, 1])
    left, right = np.array([0.9, 0.9, 0.6, 0.1]), np.array([0.4, 0.9, 0.1, 0.1])  # each has one video wrong
    pair = [np.stack([p, 1 - p], axis=1) for p in (left, right)]
    assert set(greedy_ensemble(pair, labels, 3)) == {0, 1}
    assert greedy_ensemble(pair, labels, 1) == [0]
    perfect = np.eye(2)[labels]
    assert greedy_ensemble([*pair, perfect], labels, 3) == [2]


def test_the_table_has_a_line_for_each_candidate() -> None:
    kinds = ["logistic", "attentive"]
    choice = choose(ProbeSettings(kinds=kinds, levels=["late"], strengths=[0.1], width=8, num_epochs=[1]))
    lines = [dict(zip(COLUMNS, row.line(), strict=True)) for row in choice.rows]
    assert sum(int(line["weight"]) for line in lines) >= 1
    assert {line["kind"] for line in lines} == set(kinds)
    assert all((line["descriptor"] == "") == (line["kind"] == "attentive") for line in lines)
    scores = [float(line["mean_class_accuracy"]) for line in lines]
    assert scores == sorted(scores, reverse=True)
